"""Runners are killed and services fail at random moments of flywheels and maintenance runs: all stays exact."""

from __future__ import annotations

import random
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest

from headgate.demo.services.audience import VARIANTS
from headgate.worker import cleaning
from tests.acceptance.freshpoc.conftest import Poc
from tests.acceptance.viral.conftest import FLYWHEEL, MAINTENANCE, World, world
from tests.attacks.form import dice, either, tell
from tests.attacks.runners import clean_stores, kill_one, runners_of
from tests.limits import wait_until

__all__ = ["world"]

ROUNDS = either(1, 12)
BLOWS = ("runner", "service", "runner")
"""What each run suffers. A chunk whose runners die three times is given up, so two of them do."""
LENGTHS = {FLYWHEEL: either(90, 50), MAINTENANCE: 25}
"""How far runs come without blows: their calls, and the begins and ends of their steps. The first flywheel of a
database is longer than all others."""
FAULTS = ("cut", "cut_after", "status", "text")
PATIENT = """
    update headgate.operations set lease = '2 seconds', backoff = '0.1 seconds', backoff_max = '1 second'
    where name like 'viral%';
    update headgate.pipeline_steps set retries = 5, retry_delay = '0.2 seconds'
    where operations is not null
"""
OLD_DAYS = 3
SAMPLES = """
    insert into viral.metrics
    select 'old ' || n, 'engine', 'm' || n, '{}', n, headgate.clock() - (%(age)s + n %% %(days)s) * interval '1 day'
    from generate_series(%(first)s::integer, %(last)s::integer) as n
"""
SAMPLES_A_ROUND = 60


@dataclass
class Battle:
    """Whole runs under attack."""

    world: World
    runners: Poc
    dice: random.Random
    struck: Counter[str] = field(default_factory=Counter)

    def fight(self, pipeline: str) -> None:
        """Run a pipeline to its end, and strike when it has come so far."""
        began = self.calls()
        run = str(self.world.plan.value("run_pipeline", p_pipeline=pipeline))
        moments = sorted(self.dice.sample(range(1, LENGTHS[pipeline]), len(BLOWS)))
        for moment, blow in zip(moments, self.dice.sample(BLOWS, len(BLOWS)), strict=True):
            wait_until(partial(self.has_come, run, began + moment), "the moment of a blow")
            if not self.has_ended(run):
                time.sleep(self.dice.uniform(0, 0.05))
                self.strike(blow)
        wait_until(lambda: self.has_ended(run), "the end of the run")
        assert self.world.status(run) == "succeeded", self.world.steps(run)

    def has_come(self, run: str, moment: int) -> bool:
        """Return whether the run has come so far, or has ended."""
        return self.has_ended(run) or self.calls() + self.steps(run) >= moment

    def strike(self, blow: str) -> None:
        """Kill a runner, or have the next answer of a service fail."""
        if blow == "runner":
            kill_one(self.runners, self.dice)
        else:
            service = self.dice.choice(sorted(self.world.services))
            self.world.services[service].fail(self.dice.choice(FAULTS), times=1)
        self.struck[blow] += 1

    def calls(self) -> int:
        """Return how many calls the services have seen."""
        return sum(len(x.calls) for x in self.world.services.values())

    def steps(self, run: str) -> int:
        """Return how many steps have begun, and how many have ended."""
        count = self.world.plan.scalar(
            "select count(s.started_at) + count(s.finished_at) from headgate.v_execution_steps as s"
            " where s.run_id = %(run)s",
            run=run,
        )
        assert isinstance(count, int)
        return count

    def has_ended(self, run: str) -> bool:
        """Return whether the run has ended."""
        return self.world.status(run) not in ("running", "paused")


async def test_whatever_is_killed_outcomes_posts_archive_and_decisions_are_exact(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(cleaning, "AGE", timedelta(days=-1))  # orphans of today are removed, too
    chance, began, struck = dice("flywheel"), time.monotonic(), Counter[str]()
    world.plan.connection.execute(PATIENT)
    known = views_of(world)
    for nth in range(ROUNDS):
        world.move_clock(world.plan.value("clock") + timedelta(hours=6))
        add_old_samples(world, nth)
        with runners_of(world.settings, world.services, world.plan, tmp_path / str(nth)) as runners:
            battle = Battle(world, runners, chance)
            battle.fight(FLYWHEEL)
            battle.fight(MAINTENANCE)
            struck += battle.struck
        await clean_stores(world.settings, world.plan)
        check_outcomes(world, known, flywheels=nth + 1)
        check_posts(world)
        check_decisions(world, flywheels=nth + 1)
        check_archive(world, rounds=nth + 1)
    assert struck["runner"] >= ROUNDS
    tell(
        f"flywheel: {struck['runner']} kills of runners and {struck['service']} faults of services in"
        f" {ROUNDS} flywheels and {ROUNDS} maintenance runs, {time.monotonic() - began:.0f} s; outcomes,"
        " posts, decisions and archive exact"
    )


def add_old_samples(world: World, nth: int) -> None:
    """Add samples that are old enough for the archive, each time of other days."""
    world.plan.sql(
        SAMPLES,
        age=40 + nth * (OLD_DAYS + 1),
        days=OLD_DAYS,
        first=nth * SAMPLES_A_ROUND + 1,
        last=(nth + 1) * SAMPLES_A_ROUND,
    )


def views_of(world: World) -> int:
    """Return how often variants have been shown."""
    return sum(x.successes + x.failures for x in world.audience.variants.values())


def check_outcomes(world: World, known: int, *, flywheels: int) -> None:
    """Each flywheel publishes and generates once, and what comes of it is counted once."""
    shown = world.audience.variants.values()
    rows = world.plan.sql("select variant_id, successes, failures from viral.variants")
    assert {x["variant_id"]: (x["successes"], x["failures"]) for x in rows} == {
        x.variant_id: (x.successes, x.failures) for x in shown
    }
    counted = world.plan.scalar("select sum(successes + failures)::bigint from viral.outcomes")
    assert counted == views_of(world) - known
    assert world.audience.cost == pytest.approx(0.8 * flywheels)
    assert world.audience.generated == 2 * VARIANTS * flywheels


def check_posts(world: World) -> None:
    """Each post is there once, and none that was not published."""
    rows = world.plan.sql("select post_url from viral.posts")
    published = [x["post_url"] for y in world.audience.posts.values() for x in y]
    assert sorted(x["post_url"] for x in rows) == sorted(published)


def check_decisions(world: World, *, flywheels: int) -> None:
    """Each flywheel made one decision, which can be made again."""
    rows = world.plan.sql("select * from viral.decisions")
    assert len(rows) == flywheels
    for row in rows:
        generator = np.random.Generator(np.random.PCG64(row["seed"]))
        draws = generator.beta(np.array(row["successes"]) + 1.0, np.array(row["failures"]) + 1.0)
        assert row["draws"] == draws.tolist()


def check_archive(world: World, *, rounds: int) -> None:
    """Each old sample is in a file, once, and in no table any more."""
    files = [pyarrow.parquet.read_table(x) for x in world.archive.rglob("*.parquet")]
    kept = [int(x["value"]) for y in files for x in y.to_pylist()]
    assert sorted(kept) == list(range(1, rounds * SAMPLES_A_ROUND + 1))
    assert world.plan.scalar("select count(*) from viral.metrics where run_id like 'old %%'") == 0

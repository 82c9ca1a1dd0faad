"""Runners and the S3 server are killed at random moments of whole runs: each ends as a clean one does."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from headgate.settings import Settings
from headgate.worker import cleaning
from tests.acceptance.freshpoc.conftest import Poc
from tests.acceptance.onpoint.conftest import DATA, Lake, ending, lake_at, stand_still
from tests.attacks.form import dice, either, tell
from tests.attacks.runners import clean_stores, kill_one, runners_of
from tests.buckets import S3Server
from tests.limits import PATIENCE, wait_until

BLOWS = either(("runner", "server", "server"), ("runner", "server", "server", "runner", "server"))
"""What each run suffers. A chunk whose runners die three times is given up, so two of them do."""
RUNS = either(1, 10)
PARAMS = {"max_depth": either(1, 5)}
Fresh = Callable[[], AbstractContextManager[tuple[Settings, Lake]]]
SHORT_WAITS = """
    update headgate.operations set lease = '2 seconds', backoff = '0.1 seconds', backoff_max = '1 second'
    where name like 'onpoint%%'
"""


@dataclass
class Battle:
    """A whole run under attack."""

    lake: Lake
    s3: S3Server
    runners: Poc
    dice: random.Random

    def fight(self, moments: list[int], blows: list[str]) -> None:
        """Run the pipeline to its end, and strike when so much was asked."""
        self.lake.plan.sql(SHORT_WAITS)
        begun = asked(self.lake, self.s3)
        (run,) = self.lake.plan.call("run_pipeline", p_pipeline=DATA, p_params=PARAMS)
        for moment, blow in zip(moments, blows, strict=True):
            self.wait(begun + moment)
            getattr(self, f"kill_{blow}")()
        wait_until(
            lambda: self.lake.steps(run["run_id"])["finalize_execution"] == "succeeded",
            "the end of the run",
        )
        assert set(self.lake.steps(run["run_id"]).values()) == {"succeeded"}

    def kill_server(self) -> None:
        """Kill the S3 server, and start it a moment later."""
        self.s3.kill()
        time.sleep(self.dice.uniform(0, 0.5))
        self.s3.start()

    def kill_runner(self) -> None:
        """Kill one of the runners, and start another one."""
        kill_one(self.runners, self.dice)

    def wait(self, count: int) -> None:
        """Wait until so much was asked, and for a few milliseconds more."""
        until = time.monotonic() + PATIENCE
        while asked(self.lake, self.s3) < count:
            assert time.monotonic() < until, "the run stands still"
            time.sleep(0.002)
        time.sleep(self.dice.uniform(0, 0.02))


def asked(lake: Lake, s3: S3Server) -> int:
    """Return how much was asked of the services and of the S3 server."""
    return s3.requests + sum(len(x.calls) for x in lake.services.values())


@pytest.fixture
def fresh(
    clone_for_test: Callable[[Settings], Settings], small_template: Settings, s3: S3Server
) -> Fresh:
    """Make a database whose lake is in a new bucket, and whose runs all end the same."""

    @contextmanager
    def make() -> Iterator[tuple[Settings, Lake]]:
        settings = clone_for_test(small_template)
        with lake_at(settings, s3.folder / s3.bucket(), s3) as lake:
            stand_still(lake)
            yield settings, lake

    return make


async def test_whatever_is_killed_lake_and_tables_end_as_after_a_clean_run(
    fresh: Fresh, s3: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(cleaning, "AGE", timedelta(days=-1))  # orphans of today are removed, too
    chance, killed, began = dice("lake"), Counter[str](), time.monotonic()
    with fresh() as (_, lake):
        before = asked(lake, s3)
        await lake.run(DATA, **PARAMS)
        length, clean = asked(lake, s3) - before, ending(lake)
    assert len(clean["files"]["lake"]) == 16
    for nth in range(RUNS):
        moments = sorted(chance.sample(range(1, length), len(BLOWS)))
        blows = chance.sample(BLOWS, len(BLOWS))
        with (
            fresh() as (settings, lake),
            runners_of(settings, lake.services, lake.plan, tmp_path / str(nth)) as runners,
        ):
            Battle(lake, s3, runners, chance).fight(moments, blows)
            await clean_stores(settings, lake.plan)
            assert ending(lake) == clean, (nth, moments, blows)
        killed.update(blows)
    tell(
        f"lake: {killed.total()} kills ({killed['runner']} of runners, {killed['server']} of the S3"
        f" server) in {RUNS} runs of {length} requests, {time.monotonic() - began:.0f} s; keys,"
        " hashes and rows as after a clean run"
    )

"""The viral flywheel: Thompson sampling, flywheels with one runner, and a month of them.

Thompson sampling: its compute, with reading and writing, and the regret of its choices.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from functools import partial
from typing import Final

import numpy as np
import numpy.typing as npt

from headgate.database import connect
from headgate.handlers.thompson import Tuning, choose
from headgate.settings import Settings
from tests.acceptance.viral.conftest import opened
from tests.benchmarks import flywheels, system
from tests.benchmarks.measure import Figure
from tests.limits import wait_until
from tests.plan import Plan

ARMS: Final = 100_000
SOURCE_MS: Final = 780
"""Milliseconds of compute of the system that this one succeeds, by its own documents."""
RATES: Final = (0.02, 0.03, 0.05, 0.05, 0.06, 0.06, 0.07, 0.08, 0.1, 0.15)
"""True rates of the arms whose regret is simulated."""
EPSILON: Final = 0.1
ALONE: Final = Tuning(top_k=1, exploration_share=0.0, min_impressions=0)

Counts = npt.NDArray[np.int64]
Policy = Callable[[Counts, Counts, np.random.Generator], int]


def run(
    server: Settings,
    *,
    arms: int = ARMS,
    rounds: int = 10_000,
    turns: int = 20,
    together: Sequence[int] = (1, 2, 5, 10, 20),
    month: int = 120,
    runs: int = 5,
) -> Iterator[Figure]:
    """Measure a decision among `arms` variants, `rounds` choices among ten, flywheels, a month."""
    yield from _sampling(server, arms, rounds, runs)
    with system.own_database(server, "flywheels") as settings:
        yield from flywheels.in_a_row(settings, turns)
    with system.own_database(server, "at_once") as settings:
        yield from flywheels.at_once(settings, together)
    with system.own_database(server, "month") as settings:
        yield from _month(settings, month)


def _sampling(server: Settings, arms: int, rounds: int, runs: int) -> Iterator[Figure]:
    yield Figure(
        f"viral: compute of a decision among {arms} variants",
        _compute_ms(arms, 4 * runs),
        "ms",
        at_most=10,
        detail=f"the source says {SOURCE_MS} ms",
    )
    with (
        system.own_database(server, "viral") as settings,
        connect(settings, "bench") as connection,
    ):
        plan = Plan(connection)
        _fill(plan, arms)
        with system.worker(settings):
            _decide(plan)  # starts the handlers' process
            seconds = [_decide(plan) for _ in range(runs)]
    yield Figure(
        f"viral: the same with read and write, among {arms} variants",
        statistics.median(seconds),
        "s",
        at_most=1,
        detail="from the start of its step to its end",
    )
    found = regrets(rounds, range(runs))
    for name in ("epsilon-greedy", "uniform"):
        yield Figure(
            f"viral: regret of {name} to that of Thompson sampling, {rounds} rounds",
            found[name] / max(found["thompson"], 1e-9),
            at_least=1,
            detail=f"thompson {found['thompson']:.1f}, {name} {found[name]:.1f} reactions lost",
        )


def _month(settings: Settings, flywheels: int) -> Iterator[Figure]:
    """Turn flywheels six hours apart, with a maintenance each fourth time."""
    with opened(settings, settings.home / "month") as world:
        world.plan.sql("update headgate.settings set value = 'true' where name = 'test_clock'")
        began = time.perf_counter()
        runs = asyncio.run(world.turn(flywheels, timedelta(hours=6)))
        minutes = (time.perf_counter() - began) / 60
        rates = [world.kpis(x)["engagement_rate"] or 0.0 for x in runs]
        by_chance = statistics.mean(x.rate for x in world.audience.variants.values())
        reactions = sum(x.successes for x in world.audience.variants.values())
        known = world.plan.scalar("select sum(successes)::bigint from viral.variants")
        offered = world.plan.scalar(
            "select cardinality(variants) from viral.decisions order by decided_at desc limit 1"
        )
        (cached,) = world.plan.sql(
            "select hit_ratio, hits, misses from headgate.v_cache where operation = 'viral_patterns'"
        )
    tenth = max(1, flywheels // 10)
    first, last = statistics.mean(rates[:tenth]), statistics.mean(rates[-tenth:])
    yield Figure(
        f"viral: engagement of the last tenth of {flywheels} flywheels to that of the first",
        last / first,
        at_least=1,
        detail=f"{first:.3f} to {last:.3f}, {minutes:.1f} minutes in all",
    )
    yield Figure(
        "viral: the same to that of variants chosen by chance",
        last / by_chance,
        at_least=1.5 if flywheels >= 100 else None,
        detail=f"{by_chance:.3f} to {last:.3f}; days: {_by_day(rates)}",
    )
    yield Figure(
        "viral: reactions that the plan knows to those that the audience had",
        float(known) / reactions,
        at_least=1,
        detail=f"{known} of {reactions}, of {len(world.audience.variants)} variants,"
        f" of which {offered} are in play",
    )
    yield Figure(
        f"viral: share of patterns from the cache in {flywheels} flywheels",
        float(cached["hit_ratio"] or 0),
        at_least=0.95,
        detail=f"{cached['hits']} hits, {cached['misses']} misses",
    )


def _by_day(rates: Sequence[float]) -> str:
    days = (rates[x : x + 4] for x in range(0, len(rates), 4))
    return ", ".join(f"{statistics.mean(x):.3f}" for x in days)


def regrets(rounds: int, seeds: Sequence[int], rates: Sequence[float] = RATES) -> dict[str, float]:
    """Return the mean of the reactions that each policy loses by not always choosing the best arm."""
    policies: dict[str, Policy] = {
        "thompson": _thompson,
        "epsilon-greedy": _epsilon_greedy,
        "uniform": lambda successes, _, generator: int(generator.integers(len(successes))),
    }
    return {
        name: statistics.mean(_regret(policy, rounds, seed, rates) for seed in seeds)
        for name, policy in policies.items()
    }


def _thompson(successes: Counts, failures: Counts, generator: np.random.Generator) -> int:
    seed = int(generator.integers(2**62))
    return int(choose(successes, failures, seed, ALONE).chosen[0])


def _epsilon_greedy(successes: Counts, failures: Counts, generator: np.random.Generator) -> int:
    if generator.random() < EPSILON:
        return int(generator.integers(len(successes)))
    return int(np.argmax((successes + 1) / (successes + failures + 2)))


def _regret(policy: Policy, rounds: int, seed: int, rates: Sequence[float]) -> float:
    generator = np.random.default_rng(seed)
    outcomes = np.zeros((2, len(rates)), np.int64)
    for _ in range(rounds):
        arm = policy(outcomes[0], outcomes[1], generator)
        outcomes[0 if generator.random() < rates[arm] else 1, arm] += 1
    return float(outcomes.sum(axis=0) @ (max(rates) - np.array(rates)))


def _compute_ms(arms: int, times: int) -> float:
    generator = np.random.default_rng(1)
    successes = generator.integers(0, 50, arms)
    failures = generator.integers(0, 500, arms)
    took = []
    for seed in range(times):
        began = time.perf_counter()
        choose(successes, failures, seed, Tuning())
        took.append(1_000 * (time.perf_counter() - began))
    return statistics.median(took)


def _fill(plan: Plan, arms: int) -> None:
    """Declare a pipeline of the decision alone, among that many variants."""
    plan.sql(
        "insert into viral.variants (variant_id, persona, successes, failures, created_at)"
        " select n::text, '', 50 + n %% 7, 450 + n %% 50, now() from generate_series(1, %(n)s::integer) as n",
        n=arms,
    )
    with plan.connection.transaction():
        plan.sql("select headgate.begin_plan('decide')")
        plan.sql(
            "select headgate.put_operation('decide', due => 'run', handler => 'thompson',"
            " input_function => 'viral.read_variants', ingest_function => 'viral.keep_decision')"
        )
        plan.sql("select headgate.put_pipeline('decide')")
        plan.sql("select headgate.put_step('decide', 'decide', operations => '{decide}')")
        plan.sql("select headgate.end_plan()")


def _decide(plan: Plan) -> float:
    """Run the pipeline with the worker; return the seconds that its step took."""
    run = plan.value("run_pipeline", p_pipeline="decide")
    wait_until(partial(flywheels.has_ended, plan, "decide", run), "the decision")
    return float(
        plan.scalar(
            "select extract(epoch from s.finished_at - s.started_at)"
            " from headgate.v_execution_steps as s where s.run_id = %(run)s",
            run=run,
        )
    )

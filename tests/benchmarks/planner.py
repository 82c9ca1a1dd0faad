"""Benchmark 6, planner: explain, plan and forecast among 21,817, 200,000 and a million assets.

It measures seconds and the server process's memory with 0.1 %, 1 % and all of them due. The time may grow with due
assets but not with existing ones, except for the forecast, which starts from all assets.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, LiteralString

from headgate.database import connect
from headgate.settings import Settings
from tests.benchmarks import delta, system
from tests.benchmarks.measure import Figure
from tests.plan import Plan

NAME: Final = delta.NAME
SHARES: Final = (0.001, 0.01, 1.0)
SIZES: Final = (21_817, 200_000, 1_000_000)
DAYS: Final = 30
GOALS: Final = {
    ("explain", 21_817, 1.0): 2.0,
    ("explain", 1_000_000, 0.01): 3.0,
    ("forecast", 21_817, 1.0): 5.0,
}

QUESTIONS: Final[dict[str, LiteralString]] = {
    "explain": "select count(*) from headgate.explain_plan(p_pipeline => %(name)s)",
    "plan": "select sum(planned) from headgate.check_quota(p_pipeline => %(name)s, p_run_id => %(run_id)s)",
    "forecast": "select count(*) from headgate.forecast(p_pipeline => %(name)s, p_days => %(days)s)",
}


def run(server: Settings, *, sizes: Sequence[int] = SIZES) -> Iterator[Figure]:
    """Measure each function at each size and share, and its growth."""
    times: dict[tuple[str, int, float], float] = {}
    for size in sizes:
        with system.own_database(server, "planner") as settings:
            with connect(settings, "bench") as connection:
                plan = Plan(connection)
                plan.sql("truncate headgate.assets cascade")
                system.write_plan(plan, NAME)
                _add_quota_step(plan)
                delta._add_assets(plan, size)
            for share in SHARES:
                for question in QUESTIONS:
                    yield _ask(settings, question, size, share, times)
    for question in QUESTIONS:
        for share in SHARES:
            small, large = times[question, sizes[0], share], times[question, sizes[-1], share]
            yield Figure(
                f"planner: {question}, {share:.1%} due, {sizes[-1] / sizes[0]:.0f} times the assets",
                large / small,
                detail=f"{small:.2f} s, {large:.2f} s",
            )


def _ask(
    settings: Settings,
    question: str,
    size: int,
    share: float,
    times: dict[tuple[str, int, float], float],
) -> Figure:
    """Call a function once, on its own connection, and roll back."""
    due = max(1, round(size * share))
    with connect(settings, "bench") as connection:
        plan = Plan(connection)
        plan.sql("select pgmq.purge_queue(queue_name) from pgmq.meta")
        delta._make_due(plan, size, due)
        run_id = system.start(plan, NAME)
    with connect(settings, "bench", autocommit=False) as connection:
        plan = Plan(connection)
        started = time.perf_counter()
        plan.sql(QUESTIONS[question], name=NAME, run_id=run_id, days=DAYS)
        seconds = time.perf_counter() - started
        memory = _memory(connection.info.backend_pid)
        connection.rollback()
    with connect(settings, "bench") as connection:
        Plan(connection).row("finalize_execution", p_pipeline=NAME, p_run_id=run_id)
    times[question, size, share] = seconds
    return Figure(
        f"planner: {question}, {size:,} assets, {due:,} due",
        seconds,
        unit="s",
        at_most=GOALS.get((question, size, share)),
        detail=f"{memory:,.0f} MB",
    )


def _add_quota_step(plan: Plan) -> None:
    """Add a planning step to the pipeline of one step."""
    plan.sql(
        "insert into headgate.pipeline_steps (pipeline_id, step, position, kind, function)"
        " select p.pipeline_id, 'quota', 0, 'function', 'headgate.check_quota'"
        " from headgate.pipelines as p where p.name = %(name)s",
        name=NAME,
    )


def _memory(pid: int) -> float:
    """Return a server process's peak memory without shared memory, in MB."""
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    sizes = {line.split(":")[0]: int(line.split()[1]) for line in status if line.endswith("kB")}
    return (sizes["VmHWM"] - sizes["RssShmem"]) / 1024

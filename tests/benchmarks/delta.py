"""Benchmark 4, delta: finding due assets among 21,817 and among a million.

It measures fetching the first 1,000 in order of urgency, as planning does, and counting all due assets.
The time must grow with the number of due assets, not of existing ones: the same number is counted in both
sizes. Assets and state are inserted by plain SQL; a million upserts would measure something else.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Sequence
from typing import Final

from psycopg.rows import tuple_row

from headgate.database import connect
from headgate.settings import Settings
from tests.benchmarks import system
from tests.benchmarks.measure import Figure
from tests.plan import Plan

NAME: Final = "delta"
FIRST: Final = 1_000
MAX_MS: Final = 5.0
SHARES: Final = (0.001, 0.01, 1.0)
SIZES: Final = (21_817, 1_000_000)

Times = dict[int, float]
"""Milliseconds to count all due assets, by their number."""


def run(
    server: Settings, *, sizes: Sequence[int] = SIZES, first: int = FIRST, runs: int = 9
) -> Iterator[Figure]:
    """Measure each size at each share of due assets, then compare equal numbers of due assets."""
    small, large = sizes
    equal = (min(first, small), small)
    times: dict[int, Times] = {}
    for size in sizes:
        dues = [*(max(1, round(size * share)) for share in SHARES), *equal]
        times[size] = {}
        with system.own_database(server, "delta") as settings:
            yield from _measure(settings, size, sorted(set(dues)), first, runs, times[size])
    for due in equal:
        yield Figure(
            f"delta: all due, {large:,} assets against {small:,}, {due:,} due in both",
            times[large][due] / times[small][due],
            detail=f"{times[large][due]:.1f} ms, {times[small][due]:.1f} ms",
        )


def _measure(
    settings: Settings, size: int, dues: Sequence[int], first: int, runs: int, times: Times
) -> Iterator[Figure]:
    with connect(settings, "bench") as connection:
        plan = Plan(connection)
        plan.sql("truncate headgate.assets cascade")
        system.write_plan(plan, NAME)
        _add_assets(plan, size)
        run_id = system.start(plan, NAME)
        for due in dues:
            _make_due(plan, size, due)
            what = f"{size:,} assets, {due:,} due"
            firsts = [_first_ms(plan, first, min(first, due)) for _ in range(runs + 1)][1:]
            yield Figure(
                f"delta: first {first:,}, {what}",
                statistics.median(firsts),
                unit="ms",
                at_most=MAX_MS,
                detail=f"{min(firsts):.2f} to {max(firsts):.2f}",
            )
            alls = [_all_ms(plan, run_id, due) for _ in range(runs + 1)][1:]
            times[due] = statistics.median(alls)
            detail = f"{min(alls):.2f} to {max(alls):.2f}"
            yield Figure(f"delta: all due, {what}", times[due], unit="ms", detail=detail)


def _first_ms(plan: Plan, first: int, expected: int) -> float:
    """Fetch the first due pairs of the operation; return the milliseconds."""
    operation_id = plan.scalar(
        "select o.operation_id from headgate.operations as o where o.name = %(name)s", name=NAME
    )
    with plan.connection.cursor(row_factory=tuple_row, binary=True) as cursor:
        started = time.perf_counter()
        cursor.execute(
            "select operation_id, asset_id, priority, due_since"
            " from headgate._due_pairs(%s::bigint[], headgate.clock(), %s::bigint)",
            ([operation_id], first),
            prepare=True,
        )
        rows = cursor.fetchall()
        milliseconds = (time.perf_counter() - started) * 1000
    assert len(rows) == expected, f"{len(rows)} due instead of {expected}"
    return milliseconds


def _all_ms(plan: Plan, run_id: str, expected: int) -> float:
    """Count all due assets; return the milliseconds."""
    started = time.perf_counter()
    rows = plan.call("discover_delta", p_pipeline=NAME, p_run_id=run_id)
    milliseconds = (time.perf_counter() - started) * 1000
    due = sum(x["due"] for x in rows)
    assert due == expected, f"{due} due instead of {expected}"
    return milliseconds


def _add_assets(plan: Plan, size: int) -> None:
    """Add assets in eight groups and seven classes of weight."""
    plan.sql(
        "insert into headgate.assets (universe, code, group_key, weight)"
        " select %(name)s, 'N' || n, 'G' || n %% 8, 10 ^ (n %% 7 - 2)"
        " from generate_series(1, %(size)s) as n",
        name=NAME,
        size=size,
    )
    plan.sql("vacuum analyze headgate.assets")


def _make_due(plan: Plan, size: int, due: int) -> None:
    """Rewrite the state: `due` evenly spread assets became due within the last hour."""
    plan.sql("truncate headgate.asset_processing_state")
    plan.sql("set session_replication_role = replica")  # skips foreign keys for a million rows
    plan.sql(
        "insert into headgate.asset_processing_state (operation_id, asset_id, priority, next_due_at)"
        " select o.operation_id, a.asset_id, headgate._state_priority(o.priority, a.weight),"
        " (select headgate.clock()) + case when a.nth * %(due)s / %(size)s > (a.nth - 1) * %(due)s / %(size)s"
        " then interval '-1 hour' * random() else interval '1 day' * (1 + random()) end"
        " from headgate.operations as o"
        " join (select *, row_number() over (order by asset_id) as nth from headgate.assets) as a"
        " using (universe) where o.name = %(name)s",
        due=due,
        size=size,
        name=NAME,
    )
    plan.sql("reset session_replication_role")
    plan.sql("vacuum analyze headgate.asset_processing_state")

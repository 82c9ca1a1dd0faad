"""A million listings and ten million ended jobs, beside the shipped 21,817 and their share: what takes longer?

Both databases have the equities plan and as many due listings, so that planning has the same to decide. Jobs are
claimed and completed by the calls that a runner makes; pages come from `headgate web`, and views are read as a dashboard does.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final, LiteralString

from psycopg import Connection
from psycopg.rows import DictRow

from headgate.database import READER, connect
from headgate.settings import Settings
from tests.benchmarks import history, system, web
from tests.benchmarks.measure import Figure, scaling_line
from tests.plan import Plan

ASSETS: Final = 1_000_000
ROWS: Final = 10_000_000
DUE: Final = 1_000
MAX_GROWTH: Final = 2.0
"""Of what must not grow with the listings that are not due."""
PAGES: Final = {
    "overview": "the page of the overview",
    "search": "searching a listing",
    "an asset": "a listing's page",
    "operations": "the page of operations",
    "checks": "the page of checks",
    "explain": "the page of explain",
    "forecast": "the page of the forecast",
    "metrics": "a scrape of `/metrics`",
}
VIEWS: Final = (
    "headgate.v_recent_executions",
    "headgate.v_queue_depth",
    "headgate.v_operations",
    "headgate.v_waiting",
    "headgate.v_wanted_runners",
    "headgate.v_counted_freshness",
    "headgate.v_metrics",
    "headgate.v_data_freshness",
    "headgate_bi.jobs_by_hour",
    "headgate_bi.failures_by_reason",
)
COUNTING_FRESHNESS: Final = "counting freshness, at most once a minute"
SUMMING_UP: Final = "summing up the jobs of five days, by hour"
MAINTENANCE: Final = "the daily maintenance"
GROWING: Final = {
    COUNTING_FRESHNESS,
    SUMMING_UP,
    MAINTENANCE,
    "`headgate.v_data_freshness`",
    "`headgate_bi.jobs_by_hour`",
    "`headgate_bi.failures_by_reason`",
}
"""These look at all listings, or at all jobs of a time (of the last hours: jobs_by_hour), so their time grows with them."""
ANSWERS: Final = {"fundamentals_bulk": '{"General": {}}', "prices_historical": "[]"}

MORE_ASSETS: LiteralString = """
    insert into headgate.assets (universe, code, group_key, calendar, attributes, weight, is_active)
    select a.universe, 'M' || n || '-' || a.code, a.group_key, a.calendar, a.attributes, a.weight, a.is_active
    from generate_series(1, %(times)s) as n
    cross join (select * from headgate.assets where universe = 'equities' order by asset_id) as a
    limit %(missing)s
"""
MORE_STATES: LiteralString = """
    insert into headgate.asset_processing_state (operation_id, asset_id, priority, next_due_at)
    select o.operation_id, a.asset_id, headgate._state_priority(o.priority, a.weight), null
    from headgate.operations as o
    join headgate.assets as a using (universe)
    where a.universe = 'equities'
        and o.operation_id in (select s.operation_id from headgate.asset_processing_state as s)
        and a.code like 'M%-%'
    on conflict do nothing
"""
NOTHING_DUE: LiteralString = """
    update headgate.asset_processing_state as s
    set next_due_at = case when o.due_rule <> 'once' then (select headgate.clock()) + interval '20 hours' end
    from headgate.operations as o
    where o.operation_id = s.operation_id
        and s.next_due_at < (select headgate.clock()) + interval '1 hour'
"""
SOME_DUE: LiteralString = """
    update headgate.asset_processing_state as s
    set next_due_at = (select headgate.clock())
    from headgate.operations as o
    cross join (
        select * from headgate.assets where universe = 'equities' and is_active order by asset_id limit %(due)s
    ) as a
    where o.name = any (%(operations)s)
        and s.operation_id = o.operation_id
        and s.asset_id = a.asset_id
"""

Times = dict[str, float]
"""Milliseconds by what was done: the least of some, which other programs on the machine disturb least."""


def run(
    server: Settings, *, assets: int = ASSETS, rows: int = ROWS, due: int = DUE, runs: int = 5
) -> Iterator[Figure]:
    """Measure the shipped listings with their share of the jobs, then all."""
    with system.own_database(server, "shipped") as settings:
        shipped, small = _measure(settings, rows / assets, None, due, runs)
    with system.own_database(server, "grown") as settings:
        grown, large = _measure(settings, rows / assets, assets, due, runs)
    for name, milliseconds in large.items():
        yield Figure(
            f"scale: {name}, {grown:,} listings against {shipped:,}",
            milliseconds / small[name],
            at_most=None if name in GROWING else MAX_GROWTH,
            detail=f"{small[name]:.1f} ms, {milliseconds:.1f} ms",
            line=scaling_line(name, small[name], milliseconds),
        )


def _measure(
    settings: Settings, rows_each: float, assets: int | None, due: int, runs: int
) -> tuple[int, Times]:
    with connect(settings, "bench") as connection:
        plan = Plan(connection)
        if assets is not None:
            _grow(plan, assets)
        found = plan.scalar(
            "select count(*) from headgate.assets as a where a.universe = 'equities'"
        )
        history.fill(plan, round(rows_each * found))
        plan.sql(NOTHING_DUE)
        plan.sql(SOME_DUE, due=due, operations=list(ANSWERS))
        plan.sql("vacuum analyze headgate.asset_processing_state")
        times = _planning(settings, runs)
        times |= _jobs(plan)
        times[SUMMING_UP] = _took(
            lambda: plan.sql("select headgate._keep_hours(%(jobs)s)", jobs=2 * ROWS)
        )
        times[COUNTING_FRESHNESS] = _took(partial(system.beat, connection))
        with web.served(settings) as (address, _):
            paths = {label: web.PAGES[name] for name, label in PAGES.items()}
            times |= asyncio.run(web.fastest(connection, address, paths, runs))
        times |= _views(connection, settings, runs)
    times |= _retention(settings)
    return found, times


def _grow(plan: Plan, assets: int) -> None:
    """Copy the listings until there are so many, each with its needs."""
    have = plan.scalar("select count(*) from headgate.assets as a where a.universe = 'equities'")
    plan.sql("set session_replication_role = replica")  # skips foreign keys for millions of rows
    plan.sql(MORE_ASSETS, times=-(-assets // have), missing=max(0, assets - have))
    plan.sql(MORE_STATES)
    plan.sql("reset session_replication_role")


def _planning(settings: Settings, runs: int) -> Times:
    """Plan a run as its step does, and roll back."""
    times = []
    for _ in range(runs):
        with connect(settings, "bench", autocommit=False) as connection:
            plan = Plan(connection)
            run = {"p_pipeline": history.PIPELINE, "p_run_id": system.start(plan, history.PIPELINE)}
            times.append(_took(partial(plan.call, "check_quota", **run)))
            connection.rollback()
    return {"planning a run": min(times)}


def _jobs(plan: Plan) -> Times:
    """Work off a run as a runner does, with answers made up here."""
    claims, completions = [], []
    plan.call("run_pipeline", p_pipeline=history.PIPELINE, p_run_id="now")
    starting = _took(plan.advance)
    while True:
        began = time.perf_counter()
        chunk, *_ = plan.call("claim_jobs", p_runner="bench")
        claims.append(1000 * (time.perf_counter() - began))
        if chunk["chunk_id"] is None:
            break
        completions.append(_took(partial(_complete, plan, chunk)))
    assert completions, "no job was due"
    return {
        "starting a run": starting,
        "a claim": statistics.median(claims),
        "a completion": statistics.median(completions),
    }


def _complete(plan: Plan, chunk: dict[str, Any]) -> None:
    plan.call(
        "complete_jobs",
        p_runner="bench",
        p_chunk_id=chunk["chunk_id"],
        p_lease_no=chunk["lease_no"],
        p_asset_ids=chunk["asset_ids"],
        p_outcomes=["success"] * len(chunk["asset_ids"]),
        p_payloads=[ANSWERS.get(chunk["operation"], "[]")] * len(chunk["asset_ids"]),
    )


def _views(connection: Connection[DictRow], settings: Settings, runs: int) -> Times:
    """Time each view as a dashboard reads it, while a runner is alive."""
    times = {}
    with connect(settings, "bench", role=READER) as reader:
        for view in VIEWS:
            system.beat(connection)
            times[f"`{view}`"] = min(_took(partial(_fetch, reader, view)) for _ in range(runs + 1))
    return times


def _fetch(connection: Connection[DictRow], view: LiteralString) -> None:
    connection.execute(f"select * from {view} limit 1000").fetchall()


def _retention(settings: Settings) -> Times:
    """Run the daily maintenance, and forget all history; both are rolled back."""
    times = {}
    for name, function, given in (
        (MAINTENANCE, "maintain_history", {"p_pipeline": "maintenance", "p_run_id": "now"}),
        ("forgetting all history", "retain", {"p_keep": "1 day"}),
    ):
        with connect(settings, "bench", autocommit=False) as connection:
            plan = Plan(connection)
            if function == "retain":
                plan.offset_clock("100 days")
            times[name] = _took(partial(plan.call, function, **given))
            connection.rollback()
    return times


def _took(what: Callable[[], object]) -> float:
    """Return the milliseconds that it takes."""
    began = time.perf_counter()
    what()
    return 1000 * (time.perf_counter() - began)

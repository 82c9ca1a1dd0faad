"""From the plan to the server and back, for every shape of chunk: an asset's own call, a group's session, several sessions,
named assets; split after two lease_expirations, tried again, given back and taken up. What the planner writes, the runner makes, and the
server has a book of its own."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headgate.database import connect
from headgate.settings import Settings
from headgate.worker.worker import work
from tests.adopt import adopt
from tests.attacks.form import either
from tests.clock import moved, offset_to
from tests.limits import PATIENCE
from tests.plan import Plan
from tests.runner.shop import Shop, cut, json_of, open_shop

NOW = datetime(2025, 2, 28, 21, tzinfo=UTC)  # a Friday, after the close
FRIDAY = NOW.date()
MAX_RUNS = 8
LATE = """
select count(*)
from headgate.v_asset_states as s
where s.operation = 'bars' and s.watermark <> %(at)s
"""
UNITS = {"bars": 1, "bulk": 3, "card": 5, "cards": 2}
FAULTS = ("503", "cut", "garbage", "429")


@dataclass
class World:
    """The world of one example."""

    missed: list[int]
    """Number of sessions that each asset lacks."""
    lacks: set[int]
    """Assets that answers for their group lack."""
    faults: list[str]
    """Faults of the first calls."""
    stop_after: int | None
    """Number of calls after which the first runner ends."""
    lease_expirations: int
    """How often a runner dies while it holds the first chunk."""


@dataclass
class Service:
    """The server: it answers like an honest provider, apart from its faults, and keeps its own ledger."""

    shop: Shop
    world: World
    served: Counter[str] = field(default_factory=Counter)
    units: int = 0

    def __post_init__(self) -> None:
        self.faults = list(self.world.faults)
        self.shop.answer = self.answer

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer a call, or play its fault."""
        kind = request.path.split("/")[2]
        fault = self.faults.pop(0) if self.faults else None
        if fault == "503":
            return await json_of("{}", status=503)(request)
        if fault == "429":
            return await json_of("{}", status=429, Retry_After="0")(request)
        if fault == "cut":
            return await cut(request)
        self.served[kind] += 1
        self.units += UNITS[kind]
        if kind == "cards":
            self.units += len(request.query["codes"].split(","))
        if fault == "garbage":
            return await json_of("[")(request)
        return await json_of(json.dumps(self.says(kind, request)))(request)

    def says(self, kind: str, request: web.Request) -> list[str]:
        """Return the content of a good answer."""
        if kind == "bars":
            return [x.isoformat() for x in sessions(date.fromisoformat(request.query["from"]))]
        everybody = [f"T{n}" for n in range(len(self.world.missed)) if n not in self.world.lacks]
        if kind == "bulk":
            return everybody
        if kind == "cards":
            return [x for x in request.query["codes"].split(",") if x in everybody]
        return [request.path.rpartition("/")[2]]


def sessions(first: date) -> list[date]:
    """Return the weekdays from `first` up to the last closed one."""
    days = (first + timedelta(days=n) for n in range((FRIDAY - first).days + 1))
    return [x for x in days if x.isoweekday() < 6]


def before(missed: int) -> date:
    """Return the session up to which an asset with that many missing sessions has data."""
    return [x for x in sessions(date(2025, 1, 1)) if x <= FRIDAY][-missed - 1]


@contextmanager
def database(clone: Any, core: Settings, world: World, url: str) -> Iterator[tuple[Settings, Plan]]:
    """Make a database with the plan and the example's assets, at its moment."""
    target = clone(core)
    with connect(target, "test") as connection:
        plan = Plan(connection)
        connection.execute((Path(__file__).parent / "shapes.sql").read_bytes())
        adopt(connection, "shapes")
        plan.sql("select headgate.check_plans()")
        connection.execute(moved(target.database, NOW))
        connection.execute(
            "select set_config('headgate.clock_offset', %s, false)", (offset_to(NOW),)
        )
        plan.call("set_provider", p_provider="shop", p_changes={"base_url": url})
        assets = [
            {"code": f"T{n}", "group_key": "G", "calendar": "CAL"} for n in range(len(world.missed))
        ]
        plan.call("upsert_assets", p_universe="things", p_assets=json.dumps(assets))
        for n, missed in enumerate(world.missed):
            plan.sql(
                "update headgate.asset_processing_state as s set watermark = %(at)s, next_due_at = %(now)s,"
                " succeeded_at = %(at)s from headgate.assets as a, headgate.operations as o"
                " where a.asset_id = s.asset_id and o.operation_id = s.operation_id"
                " and o.name = 'bars' and a.code = %(code)s",
                at=f"{before(missed)} 00:00+00",
                now=NOW - timedelta(hours=1) if missed else NOW + timedelta(days=3),
                code=f"T{n}",
            )
        yield target, plan
    clone.drop(target)


async def carry_out(target: Settings, plan: Plan, service: Service) -> None:
    """Run the pipeline until nothing is due, with the example's interruptions."""
    stop_after = service.world.stop_after
    for nth in range(MAX_RUNS):
        plan.call("run_pipeline", p_pipeline="shapes", p_run_id=f"r{nth}")
        if nth == 0:
            for _ in range(service.world.lease_expirations):
                die(plan)
            if stop_after is not None:
                await work_until(
                    target, lambda: len(service.shop.asked) >= stop_after or ended(plan)
                )
        await work_until(target, lambda: ended(plan))
        due = "select count(*) from headgate.v_assets_needing_processing"
        if plan.scalar(due) == 0:
            return
    raise AssertionError(
        f"still due after {MAX_RUNS} runs: {plan.sql('table headgate.v_assets_needing_processing')}"
    )


async def work_until(target: Settings, condition: Callable[[], bool]) -> None:
    """Let a runner work until a condition is true."""

    async def is_so() -> bool:
        return condition()

    async with asyncio.timeout(PATIENCE):
        await work(target, concurrency=4, until=is_so)


def ended(plan: Plan) -> bool:
    """Return whether no run is in progress."""
    running = "select count(*) from headgate.process_executions where finished_at is null"
    return bool(plan.scalar(running) == 0)


def die(plan: Plan) -> None:
    """Claim a chunk as a runner that then dies."""
    for _ in range(20):
        plan.advance()
        (row, *_) = plan.call("claim_jobs", p_runner="ghost", p_max_chunks=1)
        if row["chunk_id"] is not None:
            break
    plan.sql(
        "with late as (update headgate.chunks set leased_until = clock_timestamp() - interval '1 second'"
        " where state = 'leased' returning queue, msg_id)"
        " select pgmq.set_vt(l.queue, l.msg_id, clock_timestamp()) from late as l"
    )


def cheapest(world: World) -> int:
    """Return the minimum cost of the bars: the last sessions for all, the others one by one."""
    missed = [x for x in world.missed if x]
    return min(
        UNITS["bulk"] * many + UNITS["bars"] * sum(x > many for x in missed)
        for many in range(max(missed, default=0) + 1)
    )


def check(plan: Plan, service: Service) -> None:
    """Check that all data are there, nothing is held or reserved, and the ledgers agree."""
    world = service.world
    have = {
        (row["code"], row["session"])
        for row in plan.sql(
            "select a.code, b.session from shapes.bars as b join headgate.assets as a using (asset_id)"
        )
    }
    want = {
        (f"T{n}", session)
        for n, missed in enumerate(world.missed)
        for session in sessions(before(missed) + timedelta(days=1))
    }
    assert want <= have
    assert plan.scalar("select count(*) from shapes.cards") == len(world.missed)
    assert plan.scalar("select count(*) from headgate.chunks") == 0
    assert plan.scalar(LATE, at=f"{FRIDAY} 00:00+00") == 0
    (window,) = plan.sql("select reserved, spent from headgate.quota_windows")
    assert window["reserved"] == 0
    assert service.units <= window["spent"], "nothing was served that is not booked"
    units = "select sum(units) from headgate.asset_processing_details"
    assert plan.scalar(units) == window["spent"], "each unit stands at a job"
    if not (world.faults or world.lacks or world.lease_expirations or world.stop_after is not None):
        assert service.units == window["spent"]
        bars = service.served["bars"] * UNITS["bars"] + service.served["bulk"] * UNITS["bulk"]
        assert bars == cheapest(world)


WORLDS = st.builds(
    World,
    missed=st.lists(st.sampled_from([0, 1, 1, 1, 2, 2, 5, 10]), min_size=1, max_size=14),
    lacks=st.sets(st.integers(0, 13), max_size=2),
    faults=st.lists(st.sampled_from(FAULTS), max_size=4),
    stop_after=st.none() | st.integers(1, 6),
    lease_expirations=st.sampled_from([0, 0, 0, 1, 2]),
)


def play(clone: Any, core_template: Settings, world: World) -> Service:
    """Carry out an example, and check the result."""

    async def run() -> Service:
        async with open_shop() as shop:
            service = Service(shop, world)
            with database(clone, core_template, world, shop.url) as (target, plan):
                await carry_out(target, plan, service)
                check(plan, service)
            return service

    return asyncio.run(run())


@settings(
    max_examples=either(15, 400),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(world=WORLDS)
def test_every_shape_of_chunk_brings_what_was_planned_and_no_call_is_unbooked(
    clone, core_template, world
):
    play(clone, core_template, world)


@pytest.mark.parametrize("missed", [1, 2, 10, 30])
@pytest.mark.parametrize("assets", [2, 40])
def test_the_cheapest_calls_are_made(clone, core_template, missed, assets):
    play(clone, core_template, World([missed] * assets, set(), [], None, 0))


@pytest.mark.parametrize(
    "world",
    [
        World([3] * 12, {2, 5}, ["503", "garbage"], None, 0),
        World([3] * 12, set(), ["503", "cut", "429", "garbage"], 2, 0),
        World([3] * 12, set(), [], None, 2),
        World([1] * 12, {0}, ["cut"], 1, 2),
        World([10] * 12 + [1] * 2, set(), ["garbage"] * 3, 3, 1),
    ],
    ids=["lacking", "failing", "dying", "all of it", "long"],
)
def test_faults_on_the_way_are_recovered(clone, core_template, world):
    play(clone, core_template, world)

"""Leases are extended during work; a lost one is dropped, an unsent one given back."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest

from headgate.worker.background import Background
from headgate.worker.keeper import Keeper
from headgate.worker.leases import Leased
from headgate.worker.pace import ServerClock, Starts
from headgate.worker.totals import Totals
from tests.runner.small_plan import start, write_plan
from tests.runner.worker.parts import lease_of, reply
from tests.runner.worker.running import claim

LEFT = "select leased_until - clock_timestamp() > interval '30 minutes' from headgate.chunks"


@pytest.fixture
async def keeper(connections):
    """Make a keeper that records lost leases."""
    lost: list[Leased] = []
    background = Background()
    made = Keeper(connections, ServerClock(), Totals(), background, lost.append, lambda: None)
    yield SimpleNamespace(
        lost=lost,
        background=background,
        hold=made.hold,
        take_starts=made.take_starts,
        tick=made.tick,
        give_up=made.give_up,
        give_back_untouched=made.give_back_untouched,
        held=made.held,
    )
    await background.wait()


@pytest.fixture
async def held(core_plan, connections):
    """Lease a chunk of three jobs for an hour."""
    write_plan(
        core_plan,
        base_url="http://127.0.0.1:9/api",
        assets=3,
        operation_columns={"lease": "1 hour"},
    )
    start(core_plan)
    (chunk,) = (await connections.run(claim)).chunks
    return lease_of(chunk, at=asyncio.get_running_loop().time())


async def test_a_lease_is_extended_when_a_third_of_it_has_passed(keeper, held, core_plan):
    core_plan.sql(
        "update headgate.chunks set leased_until = clock_timestamp() + interval '1 minute'"
    )
    keeper.hold(held)
    await keeper.tick()
    assert not core_plan.scalar(LEFT), "it is not due yet"

    held.beat_at = 0.0
    await keeper.tick()
    await keeper.background.wait()

    assert core_plan.scalar(LEFT)
    assert held.beat_at > 0.0 and keeper.lost == []


async def test_a_lease_that_somebody_else_has_is_let_go_of(keeper, held, core_plan):
    core_plan.sql("update headgate.chunks set runner = 'another', lease_no = lease_no + 1")
    keeper.hold(held)
    held.beat_at = 0.0

    await keeper.tick()
    await keeper.background.wait()

    assert keeper.lost == [held] and held.is_lost
    assert keeper.held == {}


async def test_a_lease_that_gets_no_times_to_start_is_let_go_of(keeper, held, core_plan):
    core_plan.sql("update headgate.chunks set runner = 'another', lease_no = lease_no + 1")
    keeper.hold(held)
    starts = Starts(asking=3)

    keeper.take_starts(held, starts, 3)
    await keeper.background.wait()

    assert keeper.lost == [held] and held.is_lost
    assert keeper.held == {} and starts.asking == 0


async def test_a_chunk_that_ends_before_it_gets_times_to_start_is_not_lost(
    keeper, held, core_plan, caplog
):
    core_plan.sql("delete from headgate.chunks")
    keeper.hold(held)
    held.is_settling = True
    starts = Starts(asking=3)

    keeper.take_starts(held, starts, 3)
    await keeper.background.wait()
    assert keeper.held == {held.chunk.chunk_id: held}, "its completion finds out"

    del keeper.held[held.chunk.chunk_id]
    starts.asking = 3
    keeper.take_starts(held, starts, 3)
    await keeper.background.wait()

    assert keeper.lost == [] and not held.is_lost and starts.asking == 0
    assert caplog.messages == []


async def test_unsent_chunks_are_released(keeper, held, core_plan):
    keeper.hold(held)
    keeper.give_back_untouched()
    await keeper.background.wait()

    assert core_plan.scalar("select count(*) from headgate.chunks where state = 'leased'") == 0


async def test_sent_chunks_are_not_released(keeper, held, core_plan):
    keeper.hold(held)
    held.record(0, reply(), now=0.0)
    keeper.give_back_untouched()
    await keeper.background.wait()

    assert core_plan.scalar("select count(*) from headgate.chunks where state = 'leased'") == 1


async def test_a_lease_is_given_up_with_a_reason(keeper, held, core_plan):
    keeper.hold(held)

    await keeper.give_up(held, "its process was killed")

    assert keeper.lost == [held]
    ours = "select count(*) from headgate.chunks where leased_until > clock_timestamp()"
    assert core_plan.scalar(ours) == 0

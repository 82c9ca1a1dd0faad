"""Results are completed in slices, the last one together with the claim of new chunks."""

from __future__ import annotations

import asyncio

import pytest

from headgate.worker.background import Background
from headgate.worker.chunks import Claim
from headgate.worker.completer import Completer
from headgate.worker.keeper import Keeper
from headgate.worker.pace import ServerClock
from headgate.worker.provider_state import Providers
from headgate.worker.reports import UniformReport
from headgate.worker.totals import Totals
from tests.runner.small_plan import start, write_plan
from tests.runner.worker.parts import lease_of, reply
from tests.runner.worker.running import claim

ENDED = "select count(*) from headgate.asset_processing_details where status = 'success'"


class Upstream:
    """A source of chunks and calls that wants as many chunks as it is told."""

    def __init__(self, wanted: int) -> None:
        self.wanted, self.freed_bytes = wanted, 0
        self.claims: list[Claim] = []
        self.ends: list[tuple[bool, bool]] = []

    def wanted_after(self, chunk):
        return self.wanted

    room = 0

    def take(self, claim):
        self.claims.append(claim)

    def chunk_ended(self, *, was_fruitless, has_next):
        self.ends.append((was_fruitless, has_next))

    def give_up(self, held, reason):
        held.give_up(reason, 0.0)

    def freed(self, size):
        self.freed_bytes += size


@pytest.fixture
async def make(connections):
    """Make a completer whose upstream wants this many chunks."""
    backgrounds = []

    def make(wanted: int = 0) -> tuple[Completer, Upstream, Totals]:
        upstream, totals, background = Upstream(wanted), Totals(), Background()
        backgrounds.append(background)
        keeper = Keeper(
            connections, ServerClock(), totals, background, lambda _: None, lambda: None
        )
        completer = Completer(connections, Providers(), keeper, totals, background, upstream)
        return completer, upstream, totals

    yield make
    for background in backgrounds:
        await background.wait()


async def leased(plan, connections, **more):
    """Lease the first chunk of a plan."""
    write_plan(plan, base_url="http://127.0.0.1:9/api", **more)
    start(plan)
    (chunk,) = (await connections.run(claim)).chunks
    return lease_of(chunk, at=asyncio.get_running_loop().time())


def answer(held) -> None:
    """Record an answer to each of its calls."""
    for index in range(held.next, len(held.urls)):
        held.next = index + 1
        held.record(index, reply(), now=0.0)


async def test_the_last_slice_brings_the_next_chunks(make, core_plan, connections):
    held = await leased(core_plan, connections, assets=4, operation_columns={"chunk_size": 2})
    completer, upstream, totals = make(wanted=5)
    completer.keeper.hold(held)
    answer(held)

    completer.on_result(held)
    await completer.finish()

    assert core_plan.scalar(ENDED) == 2
    assert (totals.chunks, totals.jobs, totals.requests) == (1, {"success": 2}, 2)
    assert [len(x.chunks) for x in upstream.claims] == [1]
    assert upstream.ends == [(False, True)]
    assert upstream.freed_bytes == 2 * len("{}")
    assert completer.keeper.held == {}


async def test_too_few_results_wait_for_more(make, core_plan, connections):
    held = await leased(core_plan, connections, assets=2)
    completer, _, _ = make()
    completer.keeper.hold(held)
    held.next = 1
    held.record(0, reply(), now=0.0)

    completer.on_result(held)
    assert not held.is_settling and held.has_report
    await completer.finish()
    assert core_plan.scalar(ENDED) == 1, "but at the end all is handed in"


async def test_a_chunk_that_is_not_ours_any_more_counts_as_lost(make, core_plan, connections):
    held = await leased(core_plan, connections, assets=2)
    completer, upstream, totals = make()
    completer.keeper.hold(held)
    core_plan.sql("update headgate.chunks set lease_no = lease_no + 1")
    answer(held)

    completer.on_result(held)
    await completer.finish()

    assert (core_plan.scalar(ENDED), totals.lost, upstream.claims) == (0, 1, [])


async def test_a_chunk_without_calls_ends_with_one_report_for_all_of_its_jobs(
    make, core_plan, connections
):
    write_plan(core_plan, assets=3)
    start(core_plan)
    (chunk,) = (await connections.run(claim)).chunks
    completer, upstream, totals = make()

    completer.end(chunk, UniformReport(chunk.asset_ids, "success"))
    await completer.finish()

    assert (core_plan.scalar(ENDED), totals.jobs) == (3, {"success": 3})
    assert upstream.ends == [(False, False)]

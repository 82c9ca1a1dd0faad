"""The runner's stored functions, called as by a runner."""

from __future__ import annotations

import pytest
from psycopg.errors import DeadlockDetected

from headgate.database import aconnect
from headgate.errors import LostLease, ServerUnreachable
from headgate.worker import queue
from headgate.worker.queue import Queue
from headgate.worker.reports import Report, UniformReport
from headgate.worker.rules import Block
from tests.limits import PATIENCE
from tests.runner.small_plan import start, write_plan
from tests.runner.worker.running import claim

WEB = "https://shop.example/api"
DAY = 86_400


@pytest.fixture
def database(core_database):
    return core_database


@pytest.fixture
async def connect(database):
    opened = []

    async def make(name: str) -> Queue:
        connection = await aconnect(database, "test")
        opened.append(connection)
        return Queue(connection, name)

    yield make
    for connection in opened:
        await connection.close()


@pytest.fixture
async def mine(connect):
    return await connect("me")


def successes(asset_ids: list[int]) -> Report:
    report = Report()
    for asset_id in asset_ids:
        report.add(asset_id, "success", payload=b"answer %d" % asset_id, requests=1, duration_ms=5)
    return report


async def test_a_claim_brings_a_chunk_with_its_requests(plan, mine):
    write_plan(plan, base_url=WEB, assets=3, auth={"in": "bearer"}, secret_name="SHOP_TOKEN")
    start(plan)

    (chunk,) = (await claim(mine)).chunks

    assert (chunk.pipeline, chunk.run_id, chunk.step) == ("small_shop", "r1", "all")
    assert chunk.execution == ("small_shop", "r1")
    assert (chunk.provider, chunk.operation, chunk.lease_no) == ("shop", "look_shop", 1)
    assert chunk.urls == ["/things/T0", "/things/T1", "/things/T2"]
    assert len(chunk.asset_ids) == 3
    assert chunk.call is not None
    assert chunk.call["auth"] == {"in": "bearer", "secret": "SHOP_TOKEN"}
    own = [rule["status"] for rule in chunk.call["rules"]][:4]
    assert own == ["200", "404", "402", "401-403"]


async def test_without_work_nothing_is_known_of_when_to_ask_again(mine):
    found = await claim(mine)

    assert not found.chunks
    assert found.wait_seconds is None


async def test_a_chunk_of_another_runner_is_claimed_when_its_lease_ends(plan, mine, connect):
    write_plan(plan, base_url=WEB, operation_columns={"lease": "1 day"})
    start(plan)
    other = await connect("other")
    await claim(other)

    found = await claim(mine)

    assert not found.chunks
    assert found.wait_seconds is not None
    assert DAY - PATIENCE < found.wait_seconds <= DAY


async def test_results_are_handed_in_slice_by_slice(plan, mine):
    write_plan(plan, base_url=WEB, assets=5)
    start(plan)
    (chunk,) = (await claim(mine)).chunks

    await mine.complete(chunk, successes(chunk.asset_ids[:2]))
    await mine.complete(chunk, successes(chunk.asset_ids[2:]))

    rows = plan.sql("select asset_id, payload from public.answers order by asset_id")
    assert [(x["asset_id"], x["payload"]) for x in rows] == [
        (asset_id, f"answer {asset_id}") for asset_id in sorted(chunk.asset_ids)
    ]
    assert plan.scalar("select count(*) from headgate.chunks") == 0


async def test_a_completion_brings_the_next_chunk(plan, mine):
    write_plan(plan, assets=4, operation_columns={"chunk_size": 2})
    start(plan)
    (first,) = (await claim(mine)).chunks

    (second,) = (
        await mine.complete(first, UniformReport(first.asset_ids, "success"), claim=1)
    ).chunks
    nothing = await mine.complete(second, UniformReport(second.asset_ids, "success"), claim=1)

    assert not set(first.asset_ids) & set(second.asset_ids)
    assert not nothing.chunks
    counted = "select count(*) from headgate.asset_processing_details where status = 'success'"
    assert plan.scalar(counted) == 4


async def test_a_superseded_lease_changes_nothing(plan, mine, connect):
    write_plan(plan, base_url=WEB, assets=2)
    start(plan)
    (chunk,) = (await claim(mine)).chunks
    plan.sql("update headgate.chunks set leased_until = clock_timestamp() - interval '1 second'")
    plan.sql("select pgmq.set_vt(queue, msg_id, -1) from headgate.chunks")
    other = await connect("other")
    (again,) = (await claim(other)).chunks

    with pytest.raises(LostLease, match="no longer held by me"):
        await mine.complete(chunk, successes(chunk.asset_ids))
    assert (again.chunk_id, again.lease_no) == (chunk.chunk_id, 2)
    assert await mine.extend([chunk]) == []
    assert await mine.release([chunk]) == 0
    assert plan.scalar("select count(*) from public.answers") == 0
    assert [x.chunk_id for x in await other.extend([again])] == [chunk.chunk_id]


async def test_a_lease_is_extended_by_its_whole_time(plan, mine):
    write_plan(plan, base_url=WEB, operation_columns={"lease": "1 day"})
    start(plan)
    (chunk,) = (await claim(mine)).chunks
    plan.sql("update headgate.chunks set leased_until = clock_timestamp() + interval '1 second'")

    (lease,) = await mine.extend([chunk])

    assert (lease.chunk_id, lease.lease_no) == (chunk.chunk_id, chunk.lease_no)
    assert DAY - PATIENCE < lease.lease_seconds <= DAY


async def test_released_chunks_can_be_claimed_at_once(plan, mine, connect):
    write_plan(plan, base_url=WEB, assets=3)
    start(plan)
    (chunk,) = (await claim(mine)).chunks
    await mine.complete(chunk, successes(chunk.asset_ids[:1]))

    assert await mine.release([chunk]) == 2

    (again,) = (await claim(await connect("other"))).chunks
    assert again.asset_ids == chunk.asset_ids[1:]


async def test_a_block_reaches_the_provider(plan, mine):
    write_plan(plan, base_url=WEB, assets=2)
    start(plan)
    (chunk,) = (await claim(mine)).chunks
    report = Report()
    report.add(chunk.asset_ids[0], "retry", fault="provider", error="slow down", requests=1)
    report.add(chunk.asset_ids[1], "unsent", fault="internal", error="slow down")

    await mine.complete(chunk, report, block=Block("retry_after", float(DAY), "slow down"))

    seconds = plan.scalar(
        "select extract(epoch from blocked_until - headgate.clock())"
        " from headgate.breakers join headgate.providers using (provider_id)"
        " where name = 'shop'"
    )
    assert DAY - PATIENCE < seconds <= DAY
    assert not (await claim(mine)).chunks


@pytest.mark.parametrize("sqlstate", ["40P01", "40001"])
async def test_a_deadlock_is_repeated_whole(plan, mine, monkeypatch, sqlstate):
    write_plan(plan, base_url=WEB, assets=2)
    start(plan)
    (chunk,) = (await claim(mine)).chunks
    plan.sql("create sequence public.tries")
    plan.sql(
        "create function public.trip() returns trigger language plpgsql security definer as $f$"
        " begin if nextval('public.tries') < 3 then"
        f" raise exception 'stumbled' using errcode = '{sqlstate}'; end if; return new; end $f$;"
        " create trigger trip before insert on headgate.asset_processing_details"
        " for each statement execute function public.trip()"
    )

    await mine.complete(chunk, successes(chunk.asset_ids))

    assert plan.scalar("select count(*) from public.answers") == 2


async def test_a_deadlock_that_does_not_end_is_reported(plan, mine, monkeypatch):
    monkeypatch.setattr(queue, "REPEATS", 2)
    write_plan(plan, base_url=WEB, assets=2)
    start(plan)
    (chunk,) = (await claim(mine)).chunks
    plan.sql(
        "create function public.trip() returns trigger language plpgsql as $f$"
        " begin raise exception 'stumbled' using errcode = '40P01'; end $f$;"
        " create trigger trip before insert on headgate.asset_processing_details"
        " for each statement execute function public.trip()"
    )

    with pytest.raises(DeadlockDetected):
        await mine.complete(chunk, successes(chunk.asset_ids))


async def test_a_broken_connection_is_reported_as_such(plan, mine):
    plan.sql("select pg_terminate_backend(%(pid)s, 5000)", pid=mine.connection.info.backend_pid)

    with pytest.raises(ServerUnreachable):
        await mine.claim(1)

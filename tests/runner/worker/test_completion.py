"""Answered jobs are never discarded, and sent ones never given back as unsent."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
from psycopg import sql

from headgate.worker import calls, connection_pool, leases
from headgate.worker.queue import Queue
from headgate.worker.worker import work
from tests.limits import PATIENCE, until
from tests.runner.shop import json_of, when
from tests.runner.small_plan import OK, RULES, start, status, write_plan
from tests.runner.worker.running import endings, ledger, working

BY_QUOTA: dict[str, Any] = {"provider_columns": {"quota": 100}, "operation_columns": {"units": 1}}


def make_read_only(plan, *, is_read_only: bool) -> None:
    """Make every new session of the database read-only, as after a failover, and end the old ones."""
    value = "on" if is_read_only else "off"
    database = sql.Identifier(plan.connection.info.dbname)
    with plan.connection.transaction():
        plan.sql("set transaction read write")
        plan.connection.execute(
            sql.SQL("alter database {} set default_transaction_read_only = {}").format(
                database, sql.SQL(value)
            )
        )
    plan.sql(
        "select pg_terminate_backend(pid) from pg_stat_activity"
        " where datname = current_database() and pid <> pg_backend_pid()"
    )


async def test_a_server_that_takes_no_writes_is_waited_for_with_all_answers(
    core_plan, core_database, shop, caplog
):
    caplog.set_level(logging.DEBUG, "headgate.worker.connection_pool")
    write_plan(core_plan, base_url=shop.url, assets=20, **BY_QUOTA)
    start(core_plan)
    read_only = asyncio.Event()
    shop.answer = when(read_only.is_set)

    async with working(core_database):
        await until(lambda: shop.open == 20)
        make_read_only(core_plan, is_read_only=True)
        read_only.set()
        await until(lambda: "cannot execute" in caplog.text)
        assert endings(core_plan) == {}
        make_read_only(core_plan, is_read_only=False)
        await until(lambda: status(core_plan)["status"] != "running")

    assert endings(core_plan) == {"success": 20}
    assert len(shop.asked) == 20, "no call was made twice"
    assert ledger(core_plan) == {"reserved": 0, "spent": 20}


@pytest.mark.parametrize("state", ["53100", "55P03", "58030", "42501", "XX000"])
async def test_no_trouble_of_the_server_throws_answers_away(
    core_plan, core_database, shop, monkeypatch, caplog, state
):
    monkeypatch.setattr(connection_pool, "FIRST_PAUSE", 0.01)
    write_plan(core_plan, base_url=shop.url, assets=20, **BY_QUOTA)
    core_plan.sql("create table public.trouble (is_there boolean)")
    core_plan.sql("grant select on public.trouble to headgate_owner")
    core_plan.sql(
        "create function public.trip() returns trigger language plpgsql security definer as $f$"
        " begin if exists (select from public.trouble) then"
        f" raise exception 'in trouble' using errcode = '{state}';"
        " end if; return null; end $f$;"
        " create trigger trip before insert on headgate.asset_processing_details"
        " for each statement execute function public.trip()"
    )
    core_plan.sql("insert into public.trouble values (true)")
    start(core_plan)

    async with working(core_database):
        await until(lambda: "in trouble" in caplog.text)
        core_plan.sql("delete from public.trouble")
        await until(lambda: status(core_plan)["status"] != "running")

    assert endings(core_plan) == {"success": 20}
    assert len(shop.asked) == 20
    assert ledger(core_plan) == {"reserved": 0, "spent": 20}


async def test_an_answer_that_cannot_be_sent_to_the_database_is_its_items_fault(
    core_plan, core_database, shop, monkeypatch
):
    monkeypatch.setattr(calls, "text_of", lambda _, body, __: body.replace(b"?", b"\xed\xa0\x80"))
    write_plan(core_plan, base_url=shop.url, assets=20, **BY_QUOTA)
    shop.special["/api/things/T7"] = json_of('"?"')
    start(core_plan)

    async with working(core_database):
        await until(lambda: status(core_plan)["status"] != "running")

    assert endings(core_plan) == {"success": 19, "failed": 1}
    (row,) = core_plan.sql("select asset, last_error from headgate.v_failed_assets")
    assert row["asset"] == "T7"
    assert ledger(core_plan) == {"reserved": 0, "spent": 20}
    assert core_plan.scalar("select count(*) from headgate.chunks") == 0


async def test_results_that_arrive_during_the_last_slice_are_handed_in_too(
    core_plan, core_database, shop, monkeypatch
):
    monkeypatch.setattr(leases, "SLICE_JOBS", 1)
    write_plan(core_plan, base_url=shop.url, assets=10, **BY_QUOTA)
    start(core_plan)
    under_way, may_go_on, stop = asyncio.Event(), asyncio.Event(), asyncio.Event()
    complete = Queue.complete

    async def complete_slowly(self, chunk, report, **more):
        under_way.set()
        await may_go_on.wait()
        return await complete(self, chunk, report, **more)

    monkeypatch.setattr(Queue, "complete", complete_slowly)
    shop.special["/api/things/T1"] = when(stop.is_set)

    async with working(core_database, stop, concurrency=2) as worker:
        await until(lambda: under_way.is_set() and "/api/things/T1" in shop.paths())
        stop.set()
        await until(lambda: shop.open == 0)
        asyncio.get_running_loop().call_later(0.2, may_go_on.set)
        await asyncio.wait_for(worker, PATIENCE)

    asked = len(shop.asked)
    assert endings(core_plan) == {"success": asked}
    assert ledger(core_plan) == {"reserved": 10 - asked, "spent": asked}


async def test_a_lease_is_kept_while_its_answers_wait_for_the_server(
    core_plan, core_database, shop, monkeypatch, caplog
):
    monkeypatch.setattr(connection_pool, "FIRST_PAUSE", 0.01)
    write_plan(core_plan, base_url=shop.url, assets=3, operation_columns={"lease": "2 seconds"})
    core_plan.sql("create table public.locked (n integer)")
    core_plan.sql(
        "create or replace function public.keep_answers("
        " p_context jsonb, p_asset_ids bigint[], p_payloads text[])"
        " returns setof headgate.ingest_result language plpgsql security definer"
        " set search_path = pg_catalog, pg_temp set lock_timeout = '50ms' as $func$"
        " begin lock table public.locked in access share mode;"
        " return query select u.asset_id, 'success', 1, null::timestamptz, null::text"
        " from unnest(p_asset_ids) as u (asset_id); end $func$"
    )
    start(core_plan)
    began = core_plan.scalar("select clock_timestamp()")

    with core_plan.connection.transaction():
        core_plan.sql("lock table public.locked in access exclusive mode")
        async with asyncio.timeout(PATIENCE):
            task = asyncio.create_task(
                work(core_database, until=lambda: asyncio.sleep(0, done.is_set()))
            )
            done = asyncio.Event()
            await until(lambda: "in trouble" in caplog.text)
            await until(
                lambda: core_plan.scalar(
                    "select clock_timestamp() - %(began)s > interval '5 seconds'", began=began
                )
            )
    await until(lambda: endings(core_plan) == {"success": 3})
    done.set()
    await asyncio.wait_for(task, PATIENCE)

    assert len(shop.asked) == 3, "nobody took the lease over"


@pytest.mark.parametrize(("status_code", "spent"), [(503, 2), (500, 6)])
async def test_an_answer_that_is_not_charged_costs_nothing(
    core_plan, core_database, shop, status_code, spent
):
    free = {
        "status": "503",
        "outcome": "failed",
        "fault": "item",
        "reason": "away",
        "charged": False,
    }
    dear = {**free, "status": "500", "charged": True}
    write_plan(core_plan, base_url=shop.url, assets=6, rules=(free, dear, OK, *RULES), **BY_QUOTA)
    for n in range(2, 6):
        shop.special[f"/api/things/T{n}"] = json_of("{}", status=status_code)
    start(core_plan)

    async with working(core_database):
        await until(lambda: status(core_plan)["status"] != "running")

    assert endings(core_plan) == {"success": 2, "failed": 4}
    assert ledger(core_plan) == {"reserved": 0, "spent": spent}
    units = core_plan.scalar("select sum(units) from headgate.asset_processing_details")
    assert units == spent


async def test_a_provider_without_rules_has_the_usual_ones(core_plan, core_database, shop):
    write_plan(core_plan, base_url=shop.url, assets=4, rules=(), **BY_QUOTA)
    shop.special["/api/things/T1"] = json_of("{}", status=404)
    shop.special["/api/things/T2"] = json_of("{}", status=422)
    shop.special["/api/things/T3"] = json_of("{}", status=402)
    start(core_plan)

    async with working(core_database):
        await until(lambda: status(core_plan)["status"] != "running")

    assert endings(core_plan) == {"success": 1, "failed": 2, "deferred": 1}
    assert core_plan.scalar("select blocked_until = closes_at from headgate.quota_windows")


async def test_results_being_handed_in_at_the_end_are_not_released_meanwhile(
    core_plan, core_database, shop, monkeypatch
):
    write_plan(core_plan, base_url=shop.url, assets=3, **BY_QUOTA)
    start(core_plan)
    under_way, may_go_on, stop = asyncio.Event(), asyncio.Event(), asyncio.Event()
    complete = Queue.complete

    async def complete_slowly(self, chunk, report, **more):
        under_way.set()
        await may_go_on.wait()
        return await complete(self, chunk, report, **more)

    monkeypatch.setattr(Queue, "complete", complete_slowly)
    async with working(core_database, stop) as worker:
        await under_way.wait()
        stop.set()
        asyncio.get_running_loop().call_later(0.5, may_go_on.set)
        await asyncio.wait_for(worker, PATIENCE)

    assert endings(core_plan) == {"success": 3}
    assert ledger(core_plan) == {"reserved": 0, "spent": 3}

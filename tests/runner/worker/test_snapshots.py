"""Rows are new relative to the snapshot of the last read, whenever their transactions commit."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import ExitStack, closing

import psycopg
import pytest

from headgate.worker.sources import SNAPSHOT
from tests.runner.worker.source_database import VARIABLE, Source, declare, filled, work_off

STATEMENT = "select o.order_id from public.orders as o where o.customer = {asset.code} and "
BY_XMIN, BY_COLUMN = "{new.o}", "{new.o.changed_by}"
OPERATION = (
    "put_operation('read_orders', 'customers', due => 'every 1 minute', provider => 'orders_db',"
    " statement => %(statement)s, ingest_function => 'public.keep_orders')"
)
STAGED = OPERATION.replace("keep_orders'", "merge_orders', stage => 'public.shape'")
INGEST = """
    create table public.shape (order_id bigint);
    create table public.got (order_id bigint, run_id text);
    create function public.keep_orders(p_context jsonb, p_asset_ids bigint[], p_payloads text[])
    returns setof headgate.ingest_result language sql security definer
    set search_path = pg_catalog, pg_temp as $func$
        insert into public.got
        select r.order_id, p_context ->> 'run_id'
        from unnest(p_payloads) as a (payload), jsonb_to_recordset(a.payload::jsonb) as r (order_id bigint);
        select u, 'success', 1, null::timestamptz, null from unnest(p_asset_ids) as u
    $func$;
    create function public.merge_orders(p_context jsonb, p_asset_ids bigint[], p_payloads text[])
    returns setof headgate.ingest_result language sql security definer
    set search_path = pg_catalog, pg_temp as $func$
        insert into public.got
        select s.order_id, p_context ->> 'run_id'
        from headgate_stage.read_orders as s
        where s.chunk_id = (p_context ->> 'chunk_id')::bigint
            and s.lease_no = (p_context ->> 'lease_no')::integer
            and s.asset_id = any (p_asset_ids);
        select u, 'success', 1, null::timestamptz, null from unnest(p_asset_ids) as u
    $func$;
"""
ORDER = "insert into public.orders (order_id, customer, changed_at) values (%s, 'c1', '2026-01-01')"


@pytest.fixture
def source(clone_for_test, monkeypatch) -> Iterator[Source]:
    with filled(clone_for_test(None)) as opened:
        opened.sql(
            "alter table public.orders add changed_by xid8 not null default pg_current_xact_id()"
        )
        monkeypatch.setenv(VARIABLE, opened.dsn_for_reader())
        yield opened


@pytest.fixture
def read(core_database, core_plan):
    """Run the pipeline once; return the orders read, including repetitions."""
    runs = iter(range(100))

    async def reading(plan=core_plan) -> list[int]:
        run_id = f"r{next(runs)}"
        assert (await work_off(core_database, plan, run_id))["status"] == "succeeded"
        plan.sql("update headgate.asset_processing_state set next_due_at = '-infinity'")
        found: list[int] = plan.scalar(
            "select coalesce(array_agg(order_id order by order_id), '{}')"
            f" from public.got where run_id = '{run_id}'"
        )
        return found

    return reading


def declared(plan, condition: str, operation: str = OPERATION) -> None:
    declare(plan, INGEST, operation, statement=STATEMENT + condition)


def opened(source: Source):
    return closing(psycopg.connect(source.dsn))


@pytest.mark.parametrize("operation", [OPERATION, STAGED], ids=["as JSON", "staged"])
async def test_a_transaction_that_commits_late_brings_its_rows_once(
    core_plan, read, source, operation
):
    declared(core_plan, BY_COLUMN, operation)
    with opened(source) as late:
        late.execute(ORDER, (10,))
        with late.transaction():
            late.execute(ORDER, (11,))
        source.connection.execute(ORDER, (12,))
        assert await read() == [1, 2, 3, 4, 5, 6, 12]
        source.connection.execute(ORDER, (13,))
        assert await read() == [13]
        late.commit()
    assert await read() == [10, 11]
    assert await read() == []


async def test_without_a_column_rows_come_again_while_an_older_transaction_is_open(
    core_plan, read, source
):
    """A subtransaction's rows have a number that no snapshot lists: no row of that time is left out."""
    declared(core_plan, BY_XMIN)
    with opened(source) as late:
        late.execute(ORDER, (10,))
        with late.transaction():
            late.execute(ORDER, (11,))
        source.connection.execute(ORDER, (12,))
        assert await read() == [1, 2, 3, 4, 5, 6, 12]
        late.commit()
    assert await read() == [10, 11, 12]
    assert await read() == []
    source.sql("update public.orders set amount = 0 where order_id = 3")
    assert await read() == [3]


@pytest.mark.parametrize("condition", [BY_XMIN, BY_COLUMN])
@pytest.mark.parametrize("seed", [1, 2])
async def test_no_row_is_missed_in_any_order_of_commits(core_plan, read, source, condition, seed):
    declared(core_plan, condition)
    chance = random.Random(seed)
    committed, pending, came = set(range(1, 7)), {}, []
    with ExitStack() as stack:
        for n in range(100, 124):
            session = stack.enter_context(opened(source))
            session.execute(ORDER, (n,))
            with session.transaction():
                session.execute(ORDER, (n + 1000,))
            pending[n] = session
            if chance.random() < 0.6:
                ended = chance.choice(sorted(pending))
                if chance.random() < 0.2:
                    pending.pop(ended).rollback()
                else:
                    pending.pop(ended).commit()
                    committed |= {ended, ended + 1000}
            if n % 6 == 0:
                came += await read()
                assert set(came) == committed
        for n, session in pending.items():
            session.commit()
            committed |= {n, n + 1000}
        came += await read()
    assert set(came) == committed
    if condition == BY_COLUMN:
        assert len(came) == len(committed)


async def test_rows_of_a_failed_read_are_read_again(core_plan, read, source, core_database):
    declared(core_plan, BY_XMIN)
    await read()
    source.connection.execute(ORDER, (20,))
    core_plan.sql("alter table public.got add constraint small check (order_id < 20) not valid")
    failed = await work_off(core_database, core_plan, "failed")
    assert failed["failed"] == 1

    core_plan.sql("alter table public.got drop constraint small")
    core_plan.sql("update headgate.asset_processing_state set next_due_at = '-infinity'")
    assert await read() == [20]


async def test_a_reset_reads_everything_again(core_plan, read, source):
    declared(core_plan, BY_XMIN)
    await read()
    core_plan.sql("select headgate.reset_asset(asset_id) from headgate.assets where code = 'c1'")
    assert await read() == [1, 3, 5]


@pytest.mark.parametrize("condition", [BY_XMIN, BY_COLUMN])
async def test_another_source_is_read_from_its_start(core_plan, read, source, condition):
    """Its transaction numbers begin below those that the last read has seen."""
    declared(core_plan, condition)
    await read()
    core_plan.sql(
        "update headgate.asset_processing_state set source_snapshot = '9000000000:9000000000:'"
    )
    assert await read() == [1, 2, 3, 4, 5, 6]


async def test_a_standby_says_only_what_is_older_than_all_that_is_open(source):
    """A standby lists no open transactions between the two ends of its snapshot."""
    with opened(source) as late, opened(source) as reader:
        oldest = late.execute("select pg_current_xact_id()::text").fetchone()[0]
        source.sql("select pg_current_xact_id()")
        recovering = SNAPSHOT.replace("pg_is_in_recovery()", "true")
        assert reader.execute(recovering).fetchone() == (f"{oldest}:{oldest}:",)

"""Rows are copied from another database into a staging table, and merged by the completion."""

from __future__ import annotations

import threading
from contextlib import closing
from functools import partial

import psycopg
import pytest

from headgate.database import connect
from headgate.worker import copying, staging
from headgate.worker.chunks import Call
from headgate.worker.payloads import Unstorable
from tests.runner.worker.source_database import (
    ROLE,
    VARIABLE,
    declare,
    filled,
    reasons,
    work_off,
)

STATEMENT = (
    "select order_id, amount, changed_at from {asset.schema!}.orders"
    " where customer = {asset.code} and changed_at >= {state.since?}"
)
OPERATION = (
    "put_operation('read_orders', 'customers', due => 'every 1 minute', provider => 'orders_db',"
    " statement => %(statement)s, stage => 'public.kept',"
    """ "into" => 'public.kept', key => '{order_id}', watermark => 'changed_at')"""
)
TABLE = """
    create table public.kept (
        order_id bigint primary key, asset_id bigint, amount numeric, changed_at timestamptz
    );
"""
KEPT = "select coalesce(array_agg(order_id order by order_id), '{}') from public.kept"
VERSIONS = "select array_agg(xmin::text order by order_id) from public.kept where order_id < 7"
RECORDS = (
    "select h.asset, h.records, s.watermark::text from headgate.v_asset_processing_history as h"
    " join headgate.v_asset_states as s using (asset, operation) where h.run_id = 'r2' order by h.asset"
)
STAGED = "select count(*) from headgate_stage.read_orders"


@pytest.fixture
def source(clone_for_test):
    with filled(clone_for_test(None)) as opened:
        yield opened


@pytest.fixture
def plan(core_plan, source, monkeypatch):
    monkeypatch.setenv(VARIABLE, source.dsn_for_reader())
    declare(core_plan, TABLE, OPERATION, statement=STATEMENT)
    return core_plan


@pytest.fixture
def run(core_database, plan):
    return partial(work_off, core_database, plan)


def again(plan):
    plan.sql("update headgate.asset_processing_state set next_due_at = '-infinity'")


async def test_rows_are_merged_and_the_stage_is_empty_again(plan, run, source):
    assert (await run("r1"))["status"] == "succeeded"
    assert (plan.scalar(KEPT), plan.scalar(STAGED)) == ([1, 2, 3, 4, 5, 6], 0)
    assert plan.scalar("select count(*) from public.kept where amount = order_id * 1.5") == 6

    source.sql("insert into public.orders values (7, 'c1', 9, '2026-01-02 00:00+00')")
    again(plan)
    before = plan.scalar(VERSIONS)
    assert (await run("r2"))["status"] == "succeeded"
    assert (plan.scalar(KEPT), plan.scalar(STAGED)) == ([1, 2, 3, 4, 5, 6, 7], 0)
    assert plan.scalar(VERSIONS) == before, "a row that has not changed is not written"
    assert plan.sql(RECORDS) == [
        {"asset": "c0", "records": 0, "watermark": "2026-01-01 06:00:00+00"},
        {"asset": "c1", "records": 1, "watermark": "2026-01-02 00:00:00+00"},
    ]


@pytest.fixture
def in_the_middle(source, monkeypatch):
    """Give c1 more orders than fit into the buffers, and call a function once some are staged."""
    source.sql(
        "insert into public.orders select n * 2 + 1, 'c1', n * 3 + 1.5, timestamptz '2026-01-02 00:00+00'"
        " from generate_series(500, 30499) as n"
    )
    monkeypatch.setattr(copying, "PIECE_BYTES", 10_000)
    monkeypatch.setattr(copying, "BLOCK_BYTES", 100_000)

    def prepare(happens):
        write = staging.Writer.write
        calls: list[object] = []

        def writing(self, pieces):
            write(self, pieces)
            self.finish()
            if sum(map(len, pieces)) > 50_000 and not calls:
                calls.append(happens())

        monkeypatch.setattr(staging.Writer, "write", writing)
        return calls

    return prepare


TERMINATE = "select pg_terminate_backend(pid) from pg_stat_activity where usename = %(role)s"
COUNT = "select count(*) from public.kept"


async def test_a_source_that_stops_in_the_middle_is_read_again_from_its_start(
    plan, run, source, in_the_middle
):
    staged = []

    def stop():
        staged.append(plan.scalar(STAGED))
        source.sql(TERMINATE, role=ROLE)

    plan.sql("update headgate.operations set backoff = '1 ms', backoff_max = '1 ms'")
    in_the_middle(stop)
    ended = await run()

    assert staged[0] > 0
    assert ended["status"] == "succeeded"
    assert (plan.scalar(COUNT), plan.scalar(STAGED)) == (30_006, 0)
    attempts = "select max(attempts) from headgate.asset_processing_details"
    assert plan.scalar(attempts) == 2


async def test_a_source_that_stops_for_good_leaves_nothing_behind(plan, run, source, in_the_middle):
    plan.sql("update headgate.operations set max_wait = '1 ms'")
    in_the_middle(lambda: source.sql(TERMINATE, role=ROLE))
    ended = await run()

    assert ended["deferred"] >= 1
    assert plan.scalar(STAGED) == 0
    assert plan.scalar(f"{COUNT} where order_id % 2 = 1") == 0, "no row of c1"
    assert plan.scalar(
        "select bool_and(s.watermark is null) from headgate.asset_processing_state as s"
        " join headgate.assets as a using (asset_id) where a.code = 'c1'"
    )


async def test_rows_that_change_while_they_are_read_come_as_they_were(
    plan, run, source, in_the_middle
):
    in_the_middle(
        lambda: source.sql(
            "update public.orders set amount = 0, changed_at = '2026-02-01 00:00+00'"
        )
    )
    assert (await run("r1"))["status"] == "succeeded"
    assert plan.scalar(f"{COUNT} where order_id % 2 = 1 and amount = order_id * 1.5") == 30_003
    again(plan)
    assert (await run("r2"))["status"] == "succeeded"
    assert plan.scalar(f"{COUNT} where amount = 0") == 30_006


MARKS = "select array_agg(watermark order by asset_id)::text from headgate.asset_processing_state"
READ = "select status from headgate.v_asset_processing_history where (run_id, asset) = ('r1', 'c1')"
WAITS = (
    "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and query like 'alter%%'"
)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("drop column amount", "does not exist"),
        ("alter amount type text", "column amount is text, and the stage's is numeric: cast it in the statement"),
    ],
)  # fmt: skip
async def test_a_table_altered_in_the_middle_is_read_as_it_was_and_then_refused_and_moves_nothing(
    plan, run, source, in_the_middle, change, reason
):
    def change_it() -> None:
        with psycopg.connect(source.dsn) as owner:
            owner.execute(f"alter table public.orders {change}")

    def alter() -> threading.Thread:
        thread = threading.Thread(target=change_it)
        thread.start()
        while not source.scalar(WAITS):
            assert thread.is_alive(), "it waits for the end of the read"
        return thread

    altering = in_the_middle(alter)
    await run("r1")
    altering[0].join()
    assert plan.scalar(READ) == "success"
    assert plan.scalar(f"{COUNT} where order_id % 2 = 1 and amount = order_id * 1.5") == 30_003

    before = plan.scalar(MARKS)
    again(plan)
    assert (await run("r2"))["status"] == "failed"
    assert reason in reasons(plan)
    assert (plan.scalar(MARKS), plan.scalar(STAGED)) == (before, 0)
    assert plan.scalar(f"{COUNT} where order_id % 2 = 1") == 30_003


async def test_rows_of_a_superseded_lease_are_never_merged(plan, run):
    """Rows that another lease of the same chunk has staged are deleted by the completion."""
    plan.sql(
        "insert into headgate_stage.read_orders (chunk_id, lease_no, asset_id, order_id, amount, changed_at)"
        " select c, 0, a.asset_id, 99, 1, '2030-01-01 00:00+00'"
        " from headgate.assets as a, generate_series(1, 50) as c where a.universe = 'customers'"
    )
    assert (await run())["status"] == "succeeded"
    assert 99 not in plan.scalar(KEPT)

    plan.sql("select * from headgate.maintain_history('maintenance', 'r')")
    assert plan.scalar(STAGED) == 0


async def test_rows_that_are_gone_before_they_are_merged_fail_their_job(plan, run):
    """A crash of our server empties the stage: the result is as if a trigger had skipped the rows."""
    plan.sql(
        "create function public.skip() returns trigger language plpgsql as 'begin return null; end'"
    )
    plan.sql(
        "create trigger skip before insert on headgate_stage.read_orders"
        " for each row execute function public.skip()"
    )
    assert (await run())["status"] != "succeeded"
    assert "its staged rows are gone" in reasons(plan)
    assert plan.scalar("select count(watermark) from headgate.asset_processing_state") == 0


def test_the_runner_may_only_write_to_a_stage(plan, core_database):
    with connect(core_database, "test", role="headgate_runner") as connection:
        connection.execute("set role headgate_runner")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("select * from headgate_stage.read_orders")


@pytest.mark.parametrize(
    ("stage", "said"),
    [("public.nowhere", "there is no table 'public.nowhere'"), ("public.odd", "column n cannot be staged")],
)  # fmt: skip
def test_an_invalid_stage_is_a_mistake(core_plan, stage, said):
    core_plan.sql("create domain public.small as integer check (value < 9)")
    core_plan.sql("create table public.odd (n public.small)")
    with pytest.raises(psycopg.Error, match=said):
        declare(
            core_plan, TABLE, OPERATION.replace("public.kept", stage), statement="select 1 as n"
        )


def call(**more) -> Call:
    stage = {
        "table": "read_orders",
        "columns": [["order_id", "bigint", 20], ["amount", "numeric", 1700]],
    }
    row = {"kind": "postgres", "auth": {"secret": VARIABLE}, "rules": [], "stage": stage}
    return Call.from_row(row | more)


def copied(core_database, source, statement, *values, **more):
    with psycopg.connect(source.dsn_for_reader(), autocommit=True) as connection:
        return staging.copy(
            connection, lambda: connect(core_database, "test", role="headgate_runner"),
            call(**more), statement, list(values), [7, 1, 5], threading.Event(),
        )  # fmt: skip


ROWS = "select n::bigint as order_id, n::numeric as amount from generate_series(1, 20000) as n"


def test_batches_are_whole_rows(plan, core_database, source, monkeypatch):
    monkeypatch.setattr(copying, "BLOCK_BYTES", 1000)
    monkeypatch.setattr(copying, "PIECE_BYTES", 300)
    assert copied(core_database, source, ROWS) == 20000
    found = "select count(*), sum(order_id)::bigint as a, sum(amount)::bigint as b,"
    found += " min(chunk_id) as c, min(lease_no) as d, min(asset_id) as e"
    row = plan.connection.execute(f"{found} from headgate_stage.read_orders").fetchone()
    assert list(row.values()) == [20000, 200010000, 200010000, 7, 1, 5]


def test_the_end_is_in_no_piece(plan, core_database, source, monkeypatch):
    """A row has about 60 bytes, after a header of 19: at one of these sizes the end marker fills a piece."""
    for size in range(60, 100):
        monkeypatch.setattr(copying, "PIECE_BYTES", size)
        assert copied(core_database, source, f"{ROWS} where n < 2") == 1
    assert plan.scalar(STAGED) == 40


def test_values_stand_in_the_copy_as_literals(plan, core_database, source):
    hostile = "it's \\ '); drop table orders; --"
    statement = (
        "select 1 as order_id, length($1)::int as amount where $1 = $2 or $3::int is not null"
    )
    assert copied(core_database, source, statement, hostile, hostile, None) == 1
    assert plan.scalar("select amount from headgate_stage.read_orders") == len(hostile)


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("select 1::bigint as order_id", "the statement lacks the stage's columns amount"),
        ("select 1 as order_id, 2 as amount, 3 as more", "the stage has no columns more"),
        ("select 1.5 as order_id, 2 as amount", "column order_id is numeric, and the stage's is bigint"),
    ],
)  # fmt: skip
def test_columns_and_types_are_compared(plan, core_database, source, statement, said):
    with pytest.raises(Unstorable, match=said):
        copied(core_database, source, statement)
    assert plan.scalar(STAGED) == 0


def test_too_many_rows_fail(plan, core_database, source):
    with pytest.raises(Unstorable, match="more than 10 rows"):
        copied(core_database, source, ROWS, max_rows=10)


def test_no_rows_are_none(plan, core_database, source):
    assert copied(core_database, source, f"{ROWS} where n < 0") == 0


def test_a_lost_lease_stops_the_copy(plan, core_database, source, monkeypatch):
    monkeypatch.setattr(copying, "PIECE_BYTES", 1000)
    event = threading.Event()
    event.set()
    with (
        closing(psycopg.connect(source.dsn_for_reader(), autocommit=True)) as connection,
        pytest.raises(copying.Unwanted),
    ):
        staging.copy(
            connection, lambda: connect(core_database, "test", role="headgate_runner"),
            call(), ROWS, [], [7, 1, 5], event,
        )  # fmt: skip

"""Statements to another database of the same server, by a read-only role."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict

from headgate.cli.commands import doctor
from headgate.cli.commands.carry import require_secrets
from headgate.cli.commands.doctor import Finding
from headgate.errors import SecretMissing
from headgate.worker.auth import Auth
from headgate.worker.buffer import Buffer
from headgate.worker.chunks import Call
from headgate.worker.sources import Sources
from headgate.worker.worker import work
from tests.limits import PATIENCE
from tests.runner.worker.source_database import (
    PASSWORD,
    ROLE,
    VARIABLE,
    Source,
    declare,
    filled,
    reasons,
    work_off,
)

STATEMENT = (
    "select order_id, amount, changed_at from {asset.schema!}.orders"
    " where customer = {asset.code} and changed_at >= {state.since?} order by order_id"
)


@pytest.fixture
def source(clone_for_test) -> Iterator[Source]:
    """Fill a database of its own."""
    with filled(clone_for_test(None)) as opened:
        yield opened


@pytest.fixture
def dsn(source: Source, monkeypatch: pytest.MonkeyPatch) -> str:
    """Give the runner the source's address."""
    found = source.dsn_for_reader()
    monkeypatch.setenv(VARIABLE, found)
    return found


RULES = [
    {"status": "sql:ok", "outcome": "success", "fault": "item", "reason": "data"},
    {"status": "sql:28", "outcome": "deferred", "fault": "internal", "reason": "refused"},
    {"status": "error:timeout", "outcome": "retry", "fault": "provider", "reason": "too slow"},
    {"status": "error:connect", "outcome": "retry", "fault": "provider", "reason": "away"},
    {"status": "*", "outcome": "failed", "fault": "item", "reason": "wrong"},
]


def call(**more) -> Call:
    row = {
        "kind": "postgres",
        "auth": {"in": "none", "secret": VARIABLE},
        "timeout_seconds": PATIENCE,
        "rules": RULES,
    }
    return Call.from_row(row | more)


@pytest.fixture
async def sources():
    opened = Sources(Buffer())
    yield opened
    await opened.aclose()


async def ask(sources, statement, *values, **more):
    found = await sources.fetch(call(**more), statement, json.dumps(values))
    payload = None if found.payload is None else json.loads(bytes(found.payload))
    return found.outcome, found.requests, payload


async def test_rows_come_as_one_json_array(dsn, sources):
    outcome, requests, rows = await ask(
        sources, "select order_id, amount, customer as c from orders where order_id <= $1", "2"
    )

    assert (outcome.outcome, requests) == ("success", 1)
    assert rows == [
        {"order_id": 1, "amount": 1.5, "c": "c1"},
        {"order_id": 2, "amount": 3.0, "c": "c0"},
    ]


async def test_no_rows_are_an_empty_array(dsn, sources):
    assert (await ask(sources, "select 1 as x where false -- none"))[2] == []


async def test_a_value_is_never_part_of_the_statement(dsn, sources):
    hostile = "'; drop table orders; --"

    assert (await ask(sources, "select $1::text as x", hostile))[2] == [{"x": hostile}]


async def test_a_connection_is_used_again_and_its_loss_is_not_noticed(dsn, sources, source):
    pid = "select pg_backend_pid() as pid"
    (first,), (again,) = (await ask(sources, pid))[2], (await ask(sources, pid))[2]
    assert again == first
    source.sql("select pg_terminate_backend(%(pid)s, 10000)", **first)

    assert (await ask(sources, pid))[0].is_success


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("with gone as (delete from orders returning 1) select * from gone", "0A000"),
        ("select set_config('transaction_read_only', 'off', true)", "25001|transaction read-write"),
        ("select 1 as x) as y; commit; drop table orders; select * from (select 1", "42601"),
        ("select * from orders for update", "42501|25006"),
        ("select lo_create(0)", "25006"),
        ("select * from nowhere", "42P01"),
        ("select 1/0 as x", "22012"),
        ("select 'a $1' as x", "42P18"),
        ("select $1::text as x, '$2' as y", "42P18"),
        (f"select {', '.join(['1'] * 1665)}", "54011"),
    ],
)  # fmt: skip
async def test_forbidden_statements_fail_with_the_databases_own_error(
    dsn, sources, source, statement, reason
):
    values = ["x"] * statement.count("$")
    outcome, _, rows = await ask(sources, statement, *values)

    assert rows is None
    assert (outcome.outcome, outcome.fault) == ("failed", "item")
    assert any(x in outcome.reason for x in reason.split("|")), outcome.reason
    assert source.scalar("select count(*) from public.orders") == 6


async def test_a_million_columns_fail_by_the_databases_own_words(dsn, sources):
    columns = ", ".join(f"1 as c{n}" for n in range(1_000_000))
    outcome, requests, payload = await ask(sources, f"select {columns}")

    assert (outcome.outcome, outcome.fault, requests, payload) == ("failed", "item", 1, None)
    assert outcome.reason == "wrong (54011: target lists can have at most 1664 entries)"


async def test_too_many_rows_fail(dsn, sources):
    outcome, _, rows = await ask(sources, "select * from orders", max_rows=5)
    assert (outcome.outcome, outcome.reason, rows) == (
        "failed", "the statement returns more than 5 rows (max_rows)", None,
    )  # fmt: skip
    assert len((await ask(sources, "select * from orders", max_rows=6))[2]) == 6


async def test_too_many_bytes_fail(dsn, sources):
    outcome, _, _ = await ask(sources, "select repeat('x', 2000) as x", max_bytes=2000)

    assert (outcome.outcome, outcome.reason) == (
        "failed", "the rows are larger than 2000 bytes (max_bytes)",
    )  # fmt: skip
    assert sources.buffer.taken == 0


async def test_a_slow_statement_times_out_there(dsn, sources, source):
    outcome, requests, _ = await ask(
        sources, "select pg_sleep(600)::text as x", timeout_seconds=0.2
    )

    assert (outcome.outcome, outcome.fault, requests) == ("retry", "provider", 1)
    assert outcome.reason == "too slow (no answer within 0.2 seconds)"
    assert not source.scalar(
        "select count(*) from pg_stat_activity where query like '%%pg_sleep(600)%%'"
        " and state = 'active' and pid <> pg_backend_pid()"
    )


async def test_a_server_that_is_gone_is_the_providers_fault(sources, monkeypatch, tmp_path):
    monkeypatch.setenv(VARIABLE, f"host={tmp_path} dbname=x user=y password={PASSWORD}")
    outcome, requests, _ = await ask(sources, "select 1 as x")

    assert (outcome.outcome, outcome.fault, requests) == ("retry", "provider", 0)
    assert outcome.reason == "away (could not connect)"


async def test_a_wrong_password_is_ours(source, sources, monkeypatch, dsn):
    hba = Path(source.scalar("show hba_file"))
    usual = hba.read_text()
    hba.write_text(f"local all {ROLE} scram-sha-256\n{usual}")
    try:
        source.sql("select pg_reload_conf()")
        while (await ask(sources, "select 1 as x"))[0].is_success:  # until it is read again
            await sources.aclose()
            monkeypatch.setenv(VARIABLE, source.dsn_for_reader(password="wrong-password"))
        verdict, requests, _ = await ask(sources, "select 1 as x")
    finally:
        hba.write_text(usual)
        source.sql("select pg_reload_conf()")

    assert (verdict.outcome, verdict.fault, requests) == ("deferred", "internal", 0)
    assert verdict.reason == (f'refused (28P01: password authentication failed for user "{ROLE}")')


async def test_a_refused_login_is_ours(source, sources, monkeypatch):
    monkeypatch.setenv(VARIABLE, source.dsn_for_reader(user="headgate_nobody"))
    outcome, requests, _ = await ask(sources, "select 1 as x")

    assert (outcome.outcome, outcome.fault, requests) == ("deferred", "internal", 0)
    assert 'role "headgate_nobody" is not permitted to log in' in outcome.reason


@pytest.mark.parametrize("value", ["", "not a dsn with password=hidden-word", "dbname=x"])
def test_a_variable_without_a_dsn_is_named_and_never_shown(monkeypatch, value):
    monkeypatch.setenv(VARIABLE, value)
    with pytest.raises(SecretMissing) as caught:
        Auth("dsn", "", VARIABLE).secret()

    said = f"{caught.value} {caught.value.hint} {caught.value.__cause__}"
    assert VARIABLE in said
    assert not value or value not in said
    assert "hidden-word" not in said


def test_our_own_databases_password_is_not_sent(monkeypatch):
    monkeypatch.setenv(VARIABLE, "host=there dbname=x user=y")
    given = conninfo_to_dict(Auth("dsn", "", VARIABLE).secret())

    assert given["password"] == ""
    assert given["passfile"] != ""


OPERATION = (
    "put_operation('read_orders', 'customers', due => 'every 1 minute', provider => 'orders_db', units => 1,"
    " statement => %(statement)s, ingest_function => 'public.keep_orders')"
)
INGEST = """
    create table public.kept (order_id bigint primary key, asset_id bigint, amount numeric);
    create function public.keep_orders(p_context jsonb, p_asset_ids bigint[], p_payloads text[])
    returns setof headgate.ingest_result language sql security definer
    set search_path = pg_catalog, pg_temp as $func$
        with given as (
            select a.asset_id, r.*
            from unnest(p_asset_ids, p_payloads) as a (asset_id, payload)
            cross join jsonb_to_recordset(a.payload::jsonb)
                as r (order_id bigint, amount numeric, changed_at timestamptz)
        ), kept as (
            insert into public.kept select order_id, asset_id, amount from given
            on conflict (order_id) do update set amount = excluded.amount
            where kept.amount is distinct from excluded.amount
            returning asset_id
        )
        select a.asset_id, 'success', (select count(*)::integer from kept as k where k.asset_id = a.asset_id),
            (select max(g.changed_at) from given as g where g.asset_id = a.asset_id), null
        from unnest(p_asset_ids) as a (asset_id)
    $func$;
"""


@pytest.fixture
def run(core_database, core_plan):
    return partial(work_off, core_database, core_plan)


async def test_a_run_reads_what_is_new_since_its_watermark(core_plan, run, source, dsn):
    declare(core_plan, INGEST, OPERATION, statement=STATEMENT)
    first = await run("r1")
    kept = "select array_agg(order_id order by order_id) from public.kept"
    assert (first["status"], core_plan.scalar(kept)) == ("succeeded", [1, 2, 3, 4, 5, 6])

    source.sql("insert into public.orders values (7, 'c1', 9, '2026-01-02 00:00+00')")
    core_plan.sql("update headgate.asset_processing_state set next_due_at = '-infinity'")
    second = await run("r2")

    assert (second["status"], core_plan.scalar(kept)) == ("succeeded", [1, 2, 3, 4, 5, 6, 7])
    assert core_plan.scalar(
        "select max(watermark)::text from headgate.asset_processing_state"
    ).startswith("2026-01-02")


async def test_without_its_variable_nothing_is_done_and_with_it_the_run_continues(
    core_plan, core_database, run, source, dsn, monkeypatch, caplog
):
    declare(core_plan, INGEST, OPERATION, statement=STATEMENT)
    monkeypatch.delenv(VARIABLE)
    core_plan.call("run_pipeline", p_pipeline="orders", p_run_id="r1")

    async def is_said() -> bool:
        waits = core_plan.scalar("select max(reason) from headgate.v_waiting where run_id = 'r1'")
        return str(waits).endswith(f"or lack the secret {VARIABLE}")

    async with asyncio.timeout(PATIENCE):
        await work(core_database, until=is_said)

    assert f"the secret {VARIABLE} is not set" in caplog.text
    assert Finding(
        "provider orders_db", "warn", f"{VARIABLE} is not set here", "runners need it set"
    ) in list(doctor._secrets(core_plan.connection))
    with pytest.raises(SecretMissing, match=f"asks provider orders_db, whose secret {VARIABLE}"):
        require_secrets(core_plan.connection, "orders")
    assert core_plan.sql("select distinct state, lease_expirations from headgate.chunks") == [
        {"state": "queued", "lease_expirations": 0}
    ]
    assert (
        core_plan.scalar(
            "select count(*) from headgate.asset_processing_state where succeeded_at is not null"
        )
        == 0
    )
    assert core_plan.scalar("select count(*) from public.kept") == 0

    monkeypatch.setenv(VARIABLE, dsn)
    assert (await run("r1"))["status"] == "succeeded"
    assert core_plan.scalar("select count(*) from public.kept") == 6


async def test_the_dsn_is_nowhere(core_plan, run, source, dsn, monkeypatch, caplog):
    """Not in a table, a log or an error, whatever goes wrong."""
    monkeypatch.setenv(VARIABLE, source.dsn_for_reader(dbname="no_such_database"))
    declare(core_plan, INGEST, OPERATION, statement=STATEMENT)
    with caplog.at_level(logging.DEBUG):
        ended = await run()

    assert ended["status"] == "failed"
    shown = reasons(core_plan)
    assert "the server has no such database" in shown
    everything = shown + caplog.text + str(ended)
    assert PASSWORD not in everything
    assert source.dsn_for_reader(dbname="no_such_database") not in everything

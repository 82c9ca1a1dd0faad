"""Behind PgBouncer each transaction may use another server connection: sessions keep no state."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from psycopg import sql

from headgate.database import aconnect, connect, dsn_of
from headgate.errors import ServerUnsuitable
from headgate.migrate.run import migrate
from headgate.sessions import is_pooled
from headgate.settings import Settings
from headgate.worker.listener import listen
from tests.limits import PATIENCE
from tests.plan import Plan
from tests.runner.shop import json_of, open_shop
from tests.runner.small_plan import write_plan
from tests.runner.whole_run import assert_runs, command
from tests.servers import NEEDS_POOLER, pooler

pytestmark = NEEDS_POOLER
SESSION = """
select current_user::text as acting, current_setting('lock_timeout') as lock_timeout,
    current_setting('check_function_bodies') as bodies,
    (select count(*) from pg_catalog.pg_locks as l where l.locktype = 'advisory') as locks,
    (select count(*) from pg_catalog.pg_prepared_statements) as statements
"""
LEFT_ALONE = {
    "acting": "postgres",
    "lock_timeout": "0",
    "bodies": "on",
    "locks": 0,
    "statements": 0,
}
LISTENERS = "select 1 from pg_catalog.pg_stat_activity where query = 'listen headgate_jobs'"


@contextmanager
def dropped(settings: Settings) -> Iterator[Settings]:
    """Drop at the end what a test has created through a pooler."""
    try:
        yield settings
    finally:
        with connect(settings.with_database("postgres"), "test") as connection:
            statement = sql.SQL("drop database if exists {} with (force)")
            connection.execute(statement.format(sql.Identifier(settings.database)))


def what_is_left(settings: Settings) -> list[dict[str, Any]]:
    """Inspect the sessions that a pooler has open, one after the other."""
    with connect(settings, "test") as connection:
        rows = [connection.execute(SESSION).fetchone() for _ in range(8)]
    return [dict(x) for x in rows if x and x != LEFT_ALONE]


async def test_a_pipeline_runs_from_the_first_migrate_to_its_end(core_template: Settings):
    name = core_template.with_database("headgate_test_pooled")
    with dropped(name), pooler(name) as settings:
        assert migrate(settings).files
        assert migrate(settings).files == []
        assert what_is_left(settings) == []
        await assert_runs(settings, {})
        code, out, err = await command(settings, "doctor")

    assert (code, "Traceback" in err) == (0, False), out + err
    assert ", through a pooler\n" in out


def test_of_two_migrates_at_once_one_applies_and_the_other_finds_nothing(core_template: Settings):
    name = core_template.with_database("headgate_test_pooled_twice")
    with dropped(name), pooler(name) as settings, ThreadPoolExecutor() as threads:
        reports = list(threads.map(migrate, [settings, settings]))

    assert sorted(bool(x.files) for x in reports) == [False, True]


async def test_many_chunks_are_handed_in_over_changing_servers(core: Settings):
    with connect(core, "test") as connection, pooler(core) as settings:
        plan = Plan(connection)
        async with open_shop() as shop:
            shop.answer = json_of('{"a": 1}')
            write_plan(plan, base_url=shop.url, assets=60, operation_columns={"chunk_size": 2})
            code, out, err = await command(settings, "run", "small_shop", "--json")

        assert code == 0, err
        assert json.loads(out)["succeeded"] == 60
        assert what_is_left(settings) == []


async def test_a_pooler_is_known_also_where_it_ignores_what_is_pinned(core: Settings):
    for mode in ("transaction", "session"):
        with pooler(core, mode, ignore_startup_parameters="options") as settings:
            with connect(settings, "test") as one:
                assert is_pooled(one)
                assert one.info.parameter_status("DateStyle") == "ISO, MDY"
            async with await aconnect(settings, "test") as another:
                assert is_pooled(another)
    with connect(core, "test") as direct:
        assert not is_pooled(direct)


@pytest.mark.parametrize(
    "arguments", [("migrate",), ("run", "small_shop"), ("worker",), ("status",), ("doctor",)]
)
async def test_statement_mode_is_refused_at_the_start(core: Settings, arguments: tuple[str, ...]):
    with pooler(core, "statement") as settings:
        code, out, err = await command(settings, *arguments)

    assert code == 1
    assert "the pooler lets no transaction pass" in out + err and "pool_mode" in out + err
    assert "Traceback" not in err


async def test_settings_that_a_pooler_cannot_pin_must_be_right_in_the_database(core: Settings):
    alter = "alter {} set default_transaction_isolation = {}"
    database = sql.Identifier(core.database)
    with connect(core, "test") as connection:
        where = sql.SQL("database {}").format(database)
        connection.execute(sql.SQL(alter).format(where, sql.Literal("serializable")))
        with pooler(core) as settings, pytest.raises(ServerUnsuitable) as error:
            connect(settings, "test")
        assert error.value.hint and error.value.hint.startswith("alter role postgres in database ")

        connection.execute(error.value.hint.partition(";")[0].encode())
        with pooler(core) as settings:
            await assert_runs(settings, {})


@pytest.mark.parametrize("ignored", ["extra_float_digits", "options"])
def test_a_login_s_own_options_are_not_left_out_in_silence(core: Settings, ignored: str):
    with pooler(core, ignore_startup_parameters=ignored) as settings:
        dsn = f"{dsn_of(settings)} options='-c role=headgate_planner'"
        with pytest.raises(ServerUnsuitable, match="the login's options ask for: role"):
            connect(replace(settings, dsn=dsn), "test")


async def test_a_runner_is_woken_through_an_address_of_its_own(core: Settings):
    with connect(core, "test") as connection, pooler(core) as pooled:
        settings = replace(pooled, listen_dsn=dsn_of(core))
        wake = asyncio.Event()
        listening = asyncio.create_task(listen(settings, "headgate_runner", None, wake))
        async with asyncio.timeout(PATIENCE):
            await wake.wait()
            assert connection.execute(LISTENERS).fetchone(), "it listens, and does not poll"
            wake.clear()
            connection.execute("notify headgate_jobs")
            await wake.wait()
        listening.cancel()


async def test_a_runner_that_cannot_be_notified_asks_again_and_again(
    core: Settings, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("headgate.worker.listener.POLL", 0.01)
    with pooler(core) as settings:
        wake = asyncio.Event()
        listening = asyncio.create_task(listen(settings, "headgate_runner", None, wake))
        async with asyncio.timeout(PATIENCE):
            for _ in range(3):
                await wake.wait()
                wake.clear()
        listening.cancel()
        with connect(settings, "test") as connection:
            assert connection.execute(LISTENERS).fetchone() is None


async def test_a_backup_is_not_made_through_a_pooler(core: Settings, tmp_path: Any):
    with pooler(core) as settings:
        code, _, err = await command(settings, "backup", str(tmp_path / "a.dump"))

    assert code == 1
    assert "pooler" in err and "HEADGATE_DSN" in err
    assert not (tmp_path / "a.dump").exists()

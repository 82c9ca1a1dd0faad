"""A small pipeline runs to its end, with text and dates unchanged, under any server settings."""

from __future__ import annotations

from typing import Any

import pytest
from psycopg import sql

from headgate.database import connect
from headgate.errors import ServerUnsuitable
from headgate.migrate.run import migrate
from headgate.settings import Settings
from tests.attacks.form import either
from tests.plan import Plan
from tests.runner.shop import json_of, open_shop
from tests.runner.whole_run import ANSWER, assert_runs, command, write_dated_plan

SETTINGS = (
    ("DateStyle", "SQL, DMY"),
    ("DateStyle", "German"),
    ("IntervalStyle", "iso_8601"),
    ("TimeZone", "Asia/Kathmandu"),
    ("search_path", "nowhere"),
    ("search_path", "headgate, pgmq"),
    ("standard_conforming_strings", "off"),
    ("default_transaction_isolation", "serializable"),
    ("array_nulls", "off"),
    ("transform_null_equals", "on"),
    ("quote_all_identifiers", "on"),
)
ONE_BY_ONE = either([x for x in SETTINGS if x not in dict(SETTINGS).items()], SETTINGS)
"""The settings that the short form tries alone; it tries the others all at once."""
AND_MORE = {
    "bytea_output": "escape",
    "extra_float_digits": "-15",
    "row_security": "off",
    "xmlbinary": "hex",
    "default_transaction_deferrable": "on",
}
ENVIRONMENTS: tuple[dict[str, str], ...] = (
    {"PGCLIENTENCODING": "SQL_ASCII", "PGDATESTYLE": "German", "PGTZ": "Asia/Kathmandu"},
    {
        "PGCLIENTENCODING": "LATIN1",
        "PGOPTIONS": "-c datestyle=SQL,DMY -c intervalstyle=iso_8601",
    },
)


def alter(settings: Settings, **values: str) -> None:
    with connect(settings, "test") as connection:
        for name, value in values.items():
            statement = sql.SQL("alter database {} set {} = {}").format(
                sql.Identifier(settings.database),
                sql.Identifier(name),
                # a list of schemas is not one name
                sql.SQL(value) if name == "search_path" else sql.Literal(value),
            )
            connection.execute(statement)


@pytest.mark.parametrize(("name", "value"), ONE_BY_ONE, ids=lambda x: x.replace(" ", ""))
async def test_a_pipeline_runs_under_any_settings_of_the_database(
    core: Settings, name: str, value: str
):
    alter(core, **{name: value})

    await assert_runs(core, {})


@pytest.mark.parametrize("environ", ENVIRONMENTS, ids=lambda x: " ".join(x))
async def test_a_pipeline_runs_under_any_environment(core: Settings, environ: dict[str, str]):
    await assert_runs(core, environ)


async def test_a_pipeline_runs_under_any_settings_of_the_role(core: Settings):
    with connect(core, "test") as connection:
        connection.execute(
            sql.SQL("alter role current_user in database {} set datestyle = 'SQL, DMY'").format(
                sql.Identifier(core.database)
            )
        )

    await assert_runs(core, {})


async def test_a_pipeline_runs_under_all_of_them_at_once_from_the_first_migrate_on(
    clone_for_test: Any, core_template: Settings
):
    settings = clone_for_test(None)
    settings = core_template.with_database(settings.database)
    alter(settings, **(dict(SETTINGS) | AND_MORE))

    assert migrate(settings).files
    assert migrate(settings).files == []
    await assert_runs(settings, {"PGCLIENTENCODING": "LATIN1"})
    code, out, err = await command(settings, "doctor")
    assert code == 0, out + err


@pytest.mark.parametrize("encoding", either(["LATIN1"], ["LATIN1", "SQL_ASCII"]))
async def test_a_database_in_another_encoding_is_refused(
    clone_for_test: Any, core_template: Settings, encoding: str
):
    settings = core_template.with_database(clone_for_test(None).database)
    with connect(core_template, "test") as connection:
        name = sql.Identifier(settings.database)
        connection.execute(sql.SQL("drop database {}").format(name))
        connection.execute(
            sql.SQL("create database {} template template0 encoding {} locale 'C'").format(
                name, sql.Literal(encoding)
            )
        )

    with pytest.raises(ServerUnsuitable, match=f"is encoded in {encoding}; Headgate needs UTF8"):
        migrate(settings)
    for arguments in (("run", "small_shop"), ("worker",), ("status",), ("migrate",)):
        code, out, err = await command(settings, *arguments)
        assert code == 1, out + err
        assert "HEADGATE_DATABASE" in err and "Traceback" not in err


async def test_a_database_that_takes_no_writes_is_reported_and_not_written_to(core: Settings):
    with connect(core, "test") as connection:
        async with open_shop() as shop:
            shop.answer = json_of(ANSWER)
            write_dated_plan(Plan(connection), shop.url)
            alter(core, default_transaction_read_only="on")
            code, _, err = await command(core, "run", "small_shop")

            assert code == 1
            assert "Traceback" not in err and "read-only" in err
            assert "hint: " in err and "default_transaction_read_only" in err
        assert connection.execute("select from headgate.process_executions").fetchall() == []

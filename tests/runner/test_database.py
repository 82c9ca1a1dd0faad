"""Connections, and the texts of their errors."""

from __future__ import annotations

import logging
from dataclasses import replace

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from headgate.conninfo import describe
from headgate.database import aconnect, connect, dsn_of, from_psycopg, mapped_errors
from headgate.errors import AmbiguousCode, DatabaseError, HeadgateError, ServerUnreachable
from headgate.settings import Settings

RAISE = "do $$ begin raise exception '{}' using errcode = '{}', hint = 'say which'; end $$"


def elsewhere(tmp_path, dsn: str | None) -> Settings:
    return Settings(dsn=dsn, database="plans", home=tmp_path, db=tmp_path)


@pytest.fixture
def database(core: Settings) -> Settings:
    """Clone the core, which is smaller than a database with the shipped plans."""
    return core


def test_a_connection_carries_our_name(database):
    with connect(database, "test") as connection:
        row = connection.execute("select current_setting('application_name') as name").fetchone()

    assert row == {"name": "headgate test"}


async def test_an_asynchronous_connection_carries_our_name(database):
    connection = await aconnect(database, "test")
    async with connection:
        cursor = await connection.execute("select current_setting('application_name') as name")
        assert await cursor.fetchone() == {"name": "headgate test"}


def test_our_errors_come_with_their_hint(database):
    with (
        connect(database, "test") as connection,
        pytest.raises(AmbiguousCode, match=r"^AAPL is ambiguous$") as error,
        mapped_errors(),
    ):
        connection.execute(RAISE.format("AAPL is ambiguous", "HG010"))

    assert (error.value.code, error.value.hint) == ("HG010", "say which")
    assert isinstance(error.value.__cause__, psycopg.Error)


def test_other_errors_pass_so_that_a_deadlock_can_be_repeated(database):
    with (
        connect(database, "test") as connection,
        pytest.raises(psycopg.errors.DeadlockDetected),
        mapped_errors(),
    ):
        connection.execute(RAISE.format("deadlock", "40P01"))


def test_any_error_can_be_reported_in_one_line(database):
    with connect(database, "test") as connection, pytest.raises(psycopg.Error) as error:
        connection.execute("select *\nfrom nowhere")

    told = from_psycopg(error.value)
    assert isinstance(told, DatabaseError)
    assert str(told) == 'PostgreSQL reports: relation "nowhere" does not exist (SQLSTATE 42P01)'


def test_a_server_that_does_not_answer_is_named_without_its_password(tmp_path):
    settings = elsewhere(tmp_path, "postgresql://me:hunter2@127.0.0.1:1/plans")

    with pytest.raises(ServerUnreachable) as error:
        connect(settings, "test")
    assert str(error.value) == (
        "cannot connect to database 'plans' at 127.0.0.1:1: Connection refused"
    )
    assert "HEADGATE_DSN" in (error.value.hint or "")
    assert "hunter2" not in f"{error.value!r} {error.value.hint}"


def test_a_missing_database_is_reported_with_what_creates_it(server):
    with pytest.raises(ServerUnreachable, match="does not exist") as error:
        connect(server.with_database("headgate_test_nowhere"), "test")

    assert error.value.hint == "run: headgate migrate (it creates the database)"


@pytest.mark.parametrize(
    ("answer", "says", "hint"),
    [
        ("FATAL:  Datenbank »plans« existiert nicht", "Datenbank", "check database (headgate mig"),
        ("FEHLER:  Passwort falsch", "Passwort falsch", "check database (headgate migrate cre"),
        ("Connection refused\n\tIs it there?", "Connection refused", "does the server run at that"),
    ],
)
def test_an_answer_of_the_server_is_known_in_any_language(answer: str, says: str, hint: str):
    text = f'connection failed: connection to server at "127.0.0.1", port 1 failed: {answer}'
    error = from_psycopg(psycopg.OperationalError(text), "dbname=plans host=127.0.0.1")

    assert f"at 127.0.0.1: {says}" in str(error)
    assert (error.hint or "").startswith(hint)


def test_the_embedded_server_that_does_not_run_is_reported_with_what_starts_it(tmp_path):
    with pytest.raises(ServerUnreachable, match="does not run") as error:
        connect(elsewhere(tmp_path, None), "test")

    assert error.value.hint == "run: headgate up"


def test_a_connection_that_breaks_is_reported_as_such(database):
    with connect(database, "test") as connection:
        with connect(database, "test") as other:
            other.execute("select pg_terminate_backend(%s)", (connection.info.backend_pid,))
        with pytest.raises(ServerUnreachable, match="the connection to PostgreSQL is gone") as gone:
            with mapped_errors():
                connection.execute("select 1")

    assert gone.value.hint == "once the server is there, run it again: nothing is done twice"


def test_a_role_counts_only_on_the_embedded_server(tmp_path, database):
    settings = elsewhere(tmp_path, "postgresql://me@db.example/plans")

    assert "user=me" in dsn_of(settings, role="headgate_runner")
    if database.dsn is None:
        assert "headgate_runner@" in dsn_of(database, role="headgate_runner")


def test_a_silent_server_is_given_up_after_half_a_minute_unless_the_connection_string_says_otherwise(
    database,
):
    def limits(**given):
        settings = replace(database, dsn=make_conninfo(dsn_of(database), **given))
        with connect(settings, "test") as connection:
            return connection.info.get_parameters()

    assert limits()["tcp_user_timeout"] == "25000"
    assert limits()["keepalives_idle"] == "10"
    assert limits(tcp_user_timeout=2000)["tcp_user_timeout"] == "2000"


def test_the_database_in_the_settings_wins(tmp_path):
    settings = elsewhere(tmp_path, "postgresql://me@db.example/plans")

    assert "dbname=other" in dsn_of(settings.with_database("other"))


@pytest.mark.parametrize(
    ("dsn", "told"),
    [
        ("postgresql://me:pw@db.example:5433/plans", "database 'plans' at db.example:5433"),
        ("dbname=plans host=/run/pg", "database 'plans' at /run/pg"),
        ("dbname=plans", "database 'plans' at the local socket"),
    ],
)
def test_a_connection_string_is_reported_without_secrets(dsn, told):
    assert describe(dsn) == told


def test_the_servers_notices_are_logged(database, caplog):
    with (
        caplog.at_level(logging.DEBUG, logger="headgate.database"),
        connect(database, "t") as connection,
    ):
        connection.execute("do $$ begin raise notice 'hello'; raise warning 'beware'; end $$")
        connection.execute("drop table if exists nothing_like_it")

    assert [(x.levelname, x.getMessage()) for x in caplog.records] == [
        ("INFO", "hello"),
        ("WARNING", "beware"),
        ("DEBUG", 'table "nothing_like_it" does not exist, skipping'),
    ]


def test_an_unknown_code_of_our_class_keeps_message_and_hint(database):
    with (
        connect(database, "test") as connection,
        pytest.raises(HeadgateError, match="from the future") as error,
        mapped_errors(),
    ):
        connection.execute(RAISE.format("from the future", "HG999"))

    assert error.value.hint == "say which"

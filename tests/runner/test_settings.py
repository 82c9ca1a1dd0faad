"""Settings from the environment."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from headgate.errors import InvalidValue
from headgate.settings import Settings, bytes_of

ROOT = Path(__file__).resolve().parents[2]


def test_without_any_variable_the_embedded_server_of_this_checkout_is_meant():
    assert Settings.from_env({}) == Settings(
        dsn=None,
        database="headgate",
        home=ROOT / ".headgate",
        db=ROOT / "db",
        lock_timeout="5s",
        dags=ROOT / "dags",
    )


def test_an_empty_variable_is_none():
    assert Settings.from_env({"HEADGATE_DSN": "", "HEADGATE_HOME": ""}).dsn is None


def test_the_database_is_the_connection_strings_unless_named():
    dsn = "postgresql://me@db.example/plans"

    assert Settings.from_env({"HEADGATE_DSN": dsn}).database == "plans"
    assert Settings.from_env({"HEADGATE_DSN": dsn, "HEADGATE_DATABASE": "x"}).database == "x"
    assert Settings.from_env({"HEADGATE_DSN": "postgresql://me@db"}).database == "headgate"


def test_folders_may_be_elsewhere(tmp_path):
    settings = Settings.from_env({"HEADGATE_HOME": str(tmp_path), "HEADGATE_DB": "~/sql"})

    assert settings.home == tmp_path
    assert settings.db == Path.home() / "sql"


@pytest.mark.parametrize(
    "dsn",
    [
        "host localhost password=hunter2",
        "postgresql://me:hun/ter2@db/plans",
        "postgresql://me:hunter2%@db/plans",
    ],
)
def test_a_malformed_connection_string_is_refused_without_repeating_its_password(dsn):
    with pytest.raises(InvalidValue) as error:
        Settings.from_env({"HEADGATE_DSN": dsn})

    shown = f"{error.value} {error.value.hint} {error.value.__cause__}"
    assert "HEADGATE_DSN is not a connection string" in shown
    assert not any(x in shown for x in ("hunter2", "hun", "ter2"))
    assert error.value.__suppress_context__ or error.value.__context__ is None


def test_settings_can_name_another_database_of_the_same_server():
    settings = Settings.from_env({})

    assert settings.with_database("other").database == "other"
    assert settings.with_database("other").home == settings.home


@pytest.mark.parametrize(
    ("size", "count"),
    [
        ("256MB", 256 * 1024**2),
        ("1GB", 1024**3),
        ("2048kB", 2 * 1024**2),
        (" 64 mb ", 64 * 1024**2),
    ],
)
def test_a_buffer_s_size_is_written_as_postgres_writes_sizes(size, count):
    assert bytes_of(size) == count
    assert Settings.from_env({"HEADGATE_MAX_BUFFER": size}).max_buffer == count


def test_a_worker_holds_256_mb_of_answers_unless_set():
    assert Settings.from_env({"HEADGATE_MAX_BUFFER": ""}).max_buffer == 256 * 1024**2


@pytest.mark.parametrize("time", ["5s", "500ms", "1 min", "0", "5000"])
def test_a_wait_for_locks_is_written_as_postgres_writes_times(time):
    assert Settings.from_env({"HEADGATE_LOCK_TIMEOUT": time}).lock_timeout == time


@pytest.mark.parametrize("time", ["soon", "-5s", "5 parsecs", "5s; drop table x"])
def test_an_invalid_wait_for_locks_is_refused_whether_or_not_anything_waits(time):
    with pytest.raises(InvalidValue, match=r"HEADGATE_LOCK_TIMEOUT is .* not a time"):
        Settings.from_env({"HEADGATE_LOCK_TIMEOUT": time})


@pytest.mark.parametrize("size", ["256", "0MB", "1023kB", "-5MB", "1.5GB", "5TB", "lots", "MB"])
def test_an_invalid_buffer_is_refused(size):
    with pytest.raises(InvalidValue, match="not a size of a buffer"):
        Settings.from_env({"HEADGATE_MAX_BUFFER": size})


def test_plans_are_folders_separated_like_those_of_path(tmp_path):
    two = f"{tmp_path / 'a'}{os.pathsep}{os.pathsep}~/plans"

    assert Settings.from_env({"HEADGATE_PLANS": two}).plans == (
        tmp_path / "a",
        Path.home() / "plans",
    )
    assert Settings.from_env({"HEADGATE_PLANS": ""}).plans == ()

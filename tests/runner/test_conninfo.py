"""Connection strings are resolved like libpq does."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from psycopg.conninfo import conninfo_to_dict

from headgate.conninfo import describe, effective, without_service
from headgate.database import dsn_of
from headgate.settings import Settings

SERVICES = """\
[plans]
host=db.example
port=5433
user=me
password=hunter2
dbname=plans

[bare]
host=other.example
"""


@pytest.fixture
def services(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Write a service file, and set libpq's variables."""
    file = tmp_path / "services.conf"
    file.write_text(SERVICES)

    def set_variables(**variables: str) -> None:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

    set_variables(PGSERVICEFILE=str(file))
    return set_variables


def test_a_service_is_written_out_and_what_the_string_says_wins(services):
    parts = conninfo_to_dict(without_service("service=plans port=6000"))

    assert parts == {
        "host": "db.example",
        "port": "6000",
        "user": "me",
        "password": "hunter2",
        "dbname": "plans",
    }
    assert "PGSERVICE" not in os.environ


def test_a_service_wins_over_the_environment(services):
    services(PGHOST="elsewhere", PGPORT="7000", PGDATABASE="others", PGSERVICE="bare")
    parts = conninfo_to_dict(without_service("service=plans"))

    assert (parts["host"], parts["port"], parts["dbname"]) == ("db.example", "5433", "plans")
    assert os.environ["PGSERVICE"] == "bare"


def test_a_service_that_is_not_there_is_left_to_libpq(services):
    assert without_service("service=nowhere") == "service=nowhere"


@pytest.mark.parametrize(
    ("dsn", "variables", "database"),
    [
        ("service=plans", {}, "plans"),
        ("service=plans dbname=x", {}, "x"),
        ("service=bare", {}, "headgate"),
        ("service=bare", {"PGDATABASE": "y"}, "y"),
        ("postgresql://me@db", {"PGDATABASE": "y"}, "y"),
        ("postgresql://", {"PGSERVICE": "plans"}, "plans"),
        ("postgresql://me@db/z", {"PGDATABASE": "y", "PGSERVICE": "plans"}, "z"),
    ],
)
def test_the_database_is_the_one_that_libpq_would_take(services, dsn, variables, database):
    services(**variables)

    assert Settings.from_env({"HEADGATE_DSN": dsn}).database == database
    named = {"HEADGATE_DSN": dsn, "HEADGATE_DATABASE": "named"}
    assert Settings.from_env(named).database == "named"


def test_without_a_string_the_embedded_server_is_meant_whatever_libpq_would_take(services):
    services(PGSERVICE="plans", PGHOST="elsewhere", PGDATABASE="others")
    settings = Settings.from_env({})

    assert (settings.dsn, settings.database) == (None, "headgate")


def test_parameters_from_the_environment_are_reported(services):
    services(PGHOST="db.example", PGPORT="5433", PGOPTIONS="-c datestyle=German")

    assert describe("dbname=plans") == "database 'plans' at db.example:5433"
    assert effective("dbname=plans")["options"] == "-c datestyle=German"
    assert "hunter2" not in describe(without_service("service=plans"))
    assert describe("service=nowhere") == "database '' at db.example:5433"


def test_a_service_leads_to_its_server_and_database(
    services, headgate: Callable[..., CompletedProcess[str]], database: Settings, tmp_path: Path
):
    parts = conninfo_to_dict(dsn_of(database))
    lines = ["[here]", *(f"{name}={value}" for name, value in parts.items())]
    (tmp_path / "services.conf").write_text("\n".join(lines) + "\n")
    told = headgate("status", HEADGATE_DSN="service=here", HEADGATE_DB=str(database.db))

    assert (told.returncode, told.stdout) == (0, ""), told.stderr
    assert "nothing has run yet" in told.stderr


def test_libpqs_variables_do_not_lead_away_from_the_embedded_server(
    headgate: Callable[..., CompletedProcess[str]], database: Settings
):
    if database.dsn is not None:
        pytest.skip("the tests run on another server")
    here = {
        "HEADGATE_HOME": str(database.home),
        "HEADGATE_DATABASE": database.database,
        "HEADGATE_DB": str(database.db),
    }
    told = headgate("status", **here, PGHOST="db.example", PGHOSTADDR="127.0.0.1", PGPORT="1")

    assert told.returncode == 0 and "nothing has run yet" in told.stderr, told.stderr
    assert "PGHOST is set, but HEADGATE_DSN is not: using the embedded PostgreSQL" in told.stderr
    assert "HEADGATE_DSN='host=db.example'" in told.stderr

"""One server for the run, one migrated template, a clone or a rolled-back transaction per test."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from psycopg import sql

from runner.database import connect, dsn_of
from runner.migrate import migrate
from runner.settings import Settings
from tests import airflow_home as airflow_home_module
from tests.plan import Plan
from tests.servers import DB, debian_server, embedded_server, has_debian, scratch_folder

COUNTER = itertools.count(1)
DEBIAN = os.environ.get("HEADGATE_TEST_POSTGRES", "")
DSN = os.environ.get("HEADGATE_TEST_DSN") or os.environ.get("HEADGATE_DSN")
UNWANTED = ("HEADGATE_DSN", "HEADGATE_DATABASE", "HEADGATE_HOME", "HEADGATE_DB", "EODHD_API_TOKEN")


@pytest.fixture(scope="session", autouse=True)
def _no_settings_from_outside() -> Iterator[None]:
    """Keep the user's own database and token out of every test."""
    with pytest.MonkeyPatch.context() as patch:
        for name in UNWANTED:
            patch.delenv(name, raising=False)
        yield


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Run the embedded server, or use HEADGATE_TEST_DSN's, or HEADGATE_TEST_POSTGRES' (Debian)."""
    db = tmp_path_factory.mktemp("snapshot") / "db"
    shutil.copytree(DB, db)  # a file saved while the tests run is not theirs
    with _server() as settings:
        yield replace(settings, db=db)


@contextmanager
def _server() -> Iterator[Settings]:
    if DEBIAN:
        if not has_debian(DEBIAN):
            pytest.skip(f"PostgreSQL {DEBIAN} is not installed here")
        with debian_server(DEBIAN) as settings:
            yield settings
    elif DSN:
        with scratch_folder() as home:
            yield Settings(dsn=DSN, database="postgres", home=home, db=DB)
    else:
        with embedded_server() as settings:
            yield settings


@pytest.fixture(scope="session")
def clone(server: Settings) -> Iterator[Callable[[Settings | None], Settings]]:
    """Make databases: `clone(settings)` copies one, `clone(None)` is empty; dropped at the end."""
    made: list[Settings] = []

    def make(source: Settings | None) -> Settings:
        settings = server.with_database(_name("database"))
        statement = sql.SQL("create database {} template {}").format(
            sql.Identifier(settings.database),
            sql.Identifier(source.database if source else "template0"),
        )
        with connect(server, "test") as connection:
            connection.execute(statement)
            if source:  # a clone does not take along what migrate has set for its database
                jit_off = sql.SQL("alter database {} set jit = off")
                connection.execute(jit_off.format(sql.Identifier(settings.database)))
        made.append(settings)
        return settings

    yield make
    for settings in made:
        _drop(settings)


@pytest.fixture(scope="session")
def template(server: Settings) -> Iterator[Settings]:
    """Migrate a database once, and let its sessions move the clock."""
    settings = server.with_database(_name("template"))
    migrate(settings)
    with connect(settings, "test") as connection:
        connection.execute("update headgate.settings set value = 'true' where name = 'test_clock'")
    yield settings
    _drop(settings)


@pytest.fixture
def database(
    clone: Callable[[Settings | None], Settings], template: Settings
) -> Iterator[Settings]:
    """Clone the template: for tests with several connections, runners or commits."""
    settings = clone(template)
    yield settings
    _drop(settings)


@pytest.fixture(scope="session")
def _shared(clone: Callable[[Settings | None], Settings], template: Settings) -> Settings:
    """Clone the template once, for all tests that roll back."""
    return clone(template)


@pytest.fixture
def db(_shared: Settings) -> Iterator[Plan]:
    """Open a transaction that is rolled back; whatever the test does in it never happened."""
    with connect(_shared, "test", autocommit=False) as connection:
        yield Plan(connection)
        connection.rollback()


@pytest.fixture
def plan(database: Settings) -> Iterator[Plan]:
    """Open the clone of this test; every call commits."""
    with connect(database, "test") as connection:
        yield Plan(connection)


@pytest.fixture
def headgate() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run the command line in a process of its own: `headgate("status", settings=database)`."""

    def run(
        *arguments: str, settings: Settings | None = None, timeout: float = 180, **environ: str
    ) -> subprocess.CompletedProcess[str]:
        known = (
            {"HEADGATE_DSN": dsn_of(settings), "HEADGATE_DB": str(settings.db)} if settings else {}
        )
        return subprocess.run(
            [sys.executable, "-m", "runner", *arguments],
            env={**os.environ, **known, **environ},
            cwd=DB.parent,
            capture_output=True,
            text=True,
            timeout=timeout,
        )

    return run


@pytest.fixture(scope="session")
def airflow_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Give Airflow a folder and a database to throw away, before it is imported."""
    home = tmp_path_factory.mktemp("airflow")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in airflow_home_module.environ(home).items():
            patch.setenv(name, value)
        airflow_home_module.migrate(home)
        yield home


def _name(what: str) -> str:
    return f"headgate_test_{what}_{os.getpid()}_{next(COUNTER)}"


def _drop(settings: Settings) -> None:
    statement = sql.SQL("drop database if exists {} with (force)")
    with connect(settings.with_database("postgres"), "test") as connection:
        connection.execute(statement.format(sql.Identifier(settings.database)))

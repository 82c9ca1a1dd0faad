"""One server for the run, one migrated template, a clone or a rolled-back transaction per test."""

from __future__ import annotations

import fcntl
import itertools
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import settings as hypothesis_settings
from psycopg import Connection, sql
from psycopg.rows import DictRow

from headgate.database import connect, connect_server, dsn_of
from headgate.migrate.setup import database_exists
from headgate.settings import Settings
from tests import airflow_home as airflow_home_module
from tests import clock
from tests.attacks.form import IS_LONG
from tests.limits import PATIENCE
from tests.plan import Plan
from tests.servers import (
    DB,
    debian_server,
    embedded_server,
    has_debian,
    migrated,
    scratch_folder,
)

hypothesis_settings.register_profile("every day the same", derandomize=True, database=None)
if not IS_LONG:  # what is new is looked for there
    hypothesis_settings.load_profile("every day the same")

COUNTER = itertools.count(1)
DEBIAN = os.environ.get("HEADGATE_TEST_POSTGRES", "")
DSN = os.environ.get("HEADGATE_TEST_DSN") or os.environ.get("HEADGATE_DSN")
SHARED = pytest.StashKey[Path]()
TEMPLATE, CORE = "headgate_test_template", "headgate_test_core"
FEW = 210
"""Listings of each exchange that the small template keeps."""
SMALLER = """
set local session_replication_role = replica;
create temporary table others on commit drop as
    select a.asset_id
    from (
        select asset_id, row_number() over (partition by group_key order by code) as nth
        from headgate.assets
        where universe = 'equities'
    ) as a
    where a.nth > %s;
delete from headgate.asset_processing_state where asset_id in (select asset_id from others);
delete from equities.listings where asset_id in (select asset_id from others);
delete from headgate.assets where asset_id in (select asset_id from others);
"""
UNWANTED = (
    "HEADGATE_DSN", "HEADGATE_DATABASE", "HEADGATE_HOME", "HEADGATE_DB", "HEADGATE_PLANS", "HEADGATE_DAGS", "EODHD_API_TOKEN",
)  # fmt: skip


@pytest.fixture(scope="session", autouse=True)
def _no_settings_from_outside() -> Iterator[None]:
    """Keep the user's own database and token out of every test, and let servers start slowly."""
    with pytest.MonkeyPatch.context() as patch:
        for name in UNWANTED:
            patch.delenv(name, raising=False)
        patch.setattr("headgate.embedded.server.START_SECONDS", PATIENCE)
        yield


def pytest_configure(config: pytest.Config) -> None:
    """Make the folder that the workers of a run share: the first one migrates, the others copy.

    A run in a shell's background ignores Ctrl-C, and so would the programs that tests interrupt.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if config.getoption("numprocesses", default=None) and not hasattr(config, "workerinput"):
        stack = ExitStack()
        config.stash[SHARED] = stack.enter_context(scratch_folder(in_memory=True))
        config.add_cleanup(stack.close)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a worker where that folder is."""
    node.workerinput["shared"] = str(node.config.stash[SHARED])


@pytest.fixture(scope="session")
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Settings]:
    """Run the embedded server, or use HEADGATE_TEST_DSN's, or HEADGATE_TEST_POSTGRES' (Debian)."""
    shared = getattr(request.config, "workerinput", {}).get("shared")
    seed = Path(shared or tmp_path_factory.mktemp("seed"))
    with _alone(seed):
        if not (seed / "db").exists():
            shutil.copytree(DB, seed / "db")  # a file saved while the tests run is not theirs
            shutil.copytree(DB, seed / CORE / "db", ignore=shutil.ignore_patterns("plans"))
        if shared and not DSN and not (seed / "postgres").exists():
            with _server(keep=seed / "postgres") as settings:
                migrated(replace(settings, database=TEMPLATE, db=seed / "db"))
                if not DEBIAN:  # there only the SQL is tested
                    migrated(replace(settings, database=CORE, db=seed / CORE / "db"))
    given = {"seed": seed / "postgres"} if (seed / "postgres").exists() else {}
    with _server(**given) as settings:
        yield replace(settings, db=seed / "db")


@contextmanager
def _server(**data: Path) -> Iterator[Settings]:
    if DEBIAN:
        if not has_debian(DEBIAN):
            pytest.skip(f"PostgreSQL {DEBIAN} is not installed here")
        with debian_server(DEBIAN, **data) as settings:
            yield settings
    elif DSN:
        with scratch_folder() as home:
            yield Settings(dsn=DSN, database="postgres", home=home, db=DB)
    else:
        with embedded_server(**data) as settings:
            yield settings


class Clones:
    """Makes databases: `clone(settings)` copies one, `clone(None)` is empty; dropped at the end.

    A clone's clock is at the moment at which tests take place.
    """

    def __init__(self, server: Settings) -> None:
        self._server = server
        self._made: list[Settings] = []

    def __call__(self, source: Settings | None, name: str | None = None) -> Settings:
        settings = self._server.with_database(name or _name("database"))
        statement = sql.SQL("create database {} template {} strategy {}").format(
            sql.Identifier(settings.database),
            sql.Identifier(source.database if source else "template0"),
            sql.Identifier("wal_log" if DSN else "file_copy"),  # quicker where nothing is synced
        )
        with connect_server(self._server, "test") as connection:
            connection.execute(statement)
            if source:  # a clone does not take along what migrate has set for its database
                jit_off = sql.SQL("alter database {} set jit = off")
                connection.execute(jit_off.format(sql.Identifier(settings.database)))
                connection.execute(clock.moved(settings.database))
        self._made.append(settings)
        return settings

    def drop(self, settings: Settings) -> None:
        """Drop one before the end."""
        self._made.remove(settings)
        _drop(settings)

    def drop_all(self) -> None:
        """Drop what is left."""
        for settings in self._made.copy():
            self.drop(settings)


@pytest.fixture(scope="session")
def clone(server: Settings) -> Iterator[Clones]:
    """Make databases that last as long as the run."""
    clones = Clones(server)
    yield clones
    clones.drop_all()


@pytest.fixture
def clone_for_test(clone: Clones) -> Iterator[Callable[[Settings | None], Settings]]:
    """Make databases that last as long as the test."""
    made: list[Settings] = []

    def make(source: Settings | None) -> Settings:
        made.append(clone(source))
        return made[-1]

    yield make
    for settings in made:
        clone.drop(settings)


@pytest.fixture(scope="session")
def template(server: Settings) -> Iterator[Settings]:
    """Migrate a database once, and let its sessions move the clock."""
    settings = server.with_database(_name("template") if DSN else TEMPLATE)
    with _alone(server.db.parent):  # roles are the server's, which may be everybody's
        if not database_exists(settings):
            migrated(settings)
    yield settings
    _drop(settings)


@pytest.fixture(scope="session")
def small_template(clone: Clones, template: Settings) -> Settings:
    """Clone the template, and leave each exchange a few listings: a run of all is quickly planned."""
    settings = clone(template)
    with connect(settings, "test") as connection:
        with connection.transaction():
            connection.execute((SMALLER % FEW).encode())
        connection.execute("vacuum (full, analyze)")
    return settings


@pytest.fixture(scope="session")
def core_template(server: Settings) -> Iterator[Settings]:
    """Migrate the core without any plan: a database that is quickly cloned."""
    name = _name("core") if DSN else CORE
    settings = replace(server.with_database(name), db=server.db.parent / CORE / "db")
    with _alone(server.db.parent):
        if not database_exists(settings):
            migrated(settings)
    yield settings
    _drop(settings)


@pytest.fixture
def database(clone_for_test: Callable[[Settings | None], Settings], template: Settings) -> Settings:
    """Clone the template: for tests with several connections, runners or commits."""
    return clone_for_test(template)


@pytest.fixture
def small_database(
    clone_for_test: Callable[[Settings | None], Settings], small_template: Settings
) -> Settings:
    """Clone the small template: for tests with several runs, of any few listings."""
    return clone_for_test(small_template)


class Warm:
    """One connection for all tests that roll back: their functions are compiled once."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._connection = self._connect()

    def _connect(self) -> Connection[DictRow]:
        return connect(self._settings, "test", autocommit=False)

    @contextmanager
    def frozen(self) -> Iterator[Plan]:
        """Open a transaction whose clock stands still; a new connection where a test has ended the server."""
        try:
            self._connection.execute("select")
        except psycopg.OperationalError:
            self._connection.close()
            self._connection = self._connect()
        plan = Plan(self._connection)
        plan.freeze_clock(clock.NOW)
        yield plan
        self._connection.rollback()

    def close(self) -> None:
        """Close it."""
        self._connection.close()


@pytest.fixture(scope="session")
def _warm_db(clone: Clones, template: Settings) -> Iterator[Warm]:
    warm = Warm(clone(template))
    yield warm
    warm.close()


@pytest.fixture(scope="session")
def _warm_small_db(clone: Clones, small_template: Settings) -> Iterator[Warm]:
    warm = Warm(clone(small_template))
    yield warm
    warm.close()


@pytest.fixture
def db(_warm_db: Warm) -> Iterator[Plan]:
    """Open a transaction that is rolled back, its clock standing still: nothing in it ever happened."""
    with _warm_db.frozen() as plan:
        yield plan


@pytest.fixture
def small_db(_warm_small_db: Warm) -> Iterator[Plan]:
    """Open such a transaction where there are few listings."""
    with _warm_small_db.frozen() as plan:
        yield plan


@pytest.fixture
def plan(database: Settings) -> Iterator[Plan]:
    """Open the clone of this test; every call commits."""
    with connect(database, "test") as connection:
        yield Plan(connection)


@pytest.fixture
def headgate() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run the command line in a process of its own: `headgate("status", settings=database)`."""

    def run(
        *arguments: str, settings: Settings | None = None, **environ: str
    ) -> subprocess.CompletedProcess[str]:
        known = (
            {"HEADGATE_DSN": dsn_of(settings), "HEADGATE_DB": str(settings.db)} if settings else {}
        )
        return subprocess.run(
            [sys.executable, "-m", "headgate", *arguments],
            env={**os.environ, **known, **environ},
            cwd=DB.parent,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )

    return run


@pytest.fixture(scope="session", autouse=find_spec("airflow") is not None)
def airflow_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Give Airflow a folder to throw away, before any test imports it: it reads these once."""
    home = tmp_path_factory.mktemp("airflow")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in airflow_home_module.environ(home).items():
            patch.setenv(name, value)
        yield home


@pytest.fixture(scope="session")
def airflow_home(airflow_folder: Path) -> Path:
    """Give Airflow a folder and a database to throw away, before it is imported."""
    airflow_home_module.migrate(airflow_folder)
    return airflow_folder


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Let one worker at a time migrate."""
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _name(what: str) -> str:
    return f"headgate_test_{what}_{os.getpid()}_{next(COUNTER)}"


def _drop(settings: Settings) -> None:
    statement = sql.SQL("drop database if exists {} with (force)")
    with connect_server(settings, "test") as connection:
        connection.execute(statement.format(sql.Identifier(settings.database)))

"""One server for the run, one migrated template, a clone or a rolled-back transaction per test."""

from __future__ import annotations

import fcntl
import gc
import itertools
import os
import shutil
import signal
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
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
from tests.buckets import KEY_ID, SECRET, S3Server, s3_server
from tests.limits import PATIENCE
from tests.plan import Plan
from tests.servers import (
    DB,
    core_with,
    debian_server,
    embedded_server,
    has_debian,
    migrated,
    scratch_folder,
)

hypothesis_settings.register_profile("every day the same", derandomize=True, database=None)
if not IS_LONG:  # only the long form draws new examples
    hypothesis_settings.load_profile("every day the same")

END_OF_CERTIFICATE = "-----END CERTIFICATE-----\n"
COUNTER = itertools.count(1)
DEBIAN = os.environ.get("HEADGATE_TEST_POSTGRES", "")
DSN = os.environ.get("HEADGATE_TEST_DSN") or os.environ.get("HEADGATE_DSN")
SHARED = pytest.StashKey[Path]()
TEMPLATE, CORE = "headgate_test_template", "headgate_test_core"
FEW = 210
"""Number of listings per exchange in the small template."""
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
def _no_settings_from_outside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Hide the user's own settings and token from all tests, and let servers start slowly.

    Of the authorities that the machine trusts one is left: aiohttp reads all of them when it is imported, which is a
    seventh of a runner's start.
    """
    with pytest.MonkeyPatch.context() as patch:
        for name in UNWANTED:
            patch.delenv(name, raising=False)
        trusted = ssl.get_default_verify_paths().cafile
        if trusted is not None:
            first, end, _ = Path(trusted).read_text().partition(END_OF_CERTIFICATE)
            one = tmp_path_factory.mktemp("trusted") / "one.pem"
            one.write_text(first + end)
            patch.setenv("SSL_CERT_FILE", str(one))
        patch.setattr("headgate.embedded.server.START_SECONDS", PATIENCE)
        yield


def pytest_configure(config: pytest.Config) -> None:
    """Create the folder that the test workers share: the first one migrates, the others copy.

    A shell's background job ignores SIGINT, and so would the programs that tests interrupt; this restores it.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if config.getoption("numprocesses", default=None) and not hasattr(config, "workerinput"):
        stack = ExitStack()
        config.stash[SHARED] = stack.enter_context(scratch_folder(in_memory=True))
        config.add_cleanup(stack.close)
    else:
        gc.disable()  # until all tests are collected: nearly all that is made until then stays


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Iterator[None]:
    """Let one test worker compile the tests of a fresh clone; the others wait, and read what it wrote."""
    given = getattr(session.config, "workerinput", {})
    if given.get("is_fresh"):
        shared = Path(given["shared"])
        with _alone(shared):
            if not (shared / "compiled").exists():
                (shared / "compiled").touch()
                return (yield)
    return (yield)


def pytest_collection_finish() -> None:
    """Let the garbage collector look at what the tests make, not at the tests themselves."""
    gc.freeze()
    gc.enable()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Pass the shared folder to a test worker, and whether its tests are still to be compiled."""
    node.workerinput["shared"] = str(node.config.stash[SHARED])
    node.workerinput["is_fresh"] = _is_fresh(node.config.args)


def _is_fresh(given: Sequence[str]) -> bool:
    if sys.dont_write_bytecode:
        return False
    places = [Path(x.partition("::")[0]) for x in given]
    tests, compiled = (
        sum(1 for place in places for _ in place.rglob(name))
        for name in ("test_*.py", "test_*.pyc")
    )
    return compiled < 0.9 * tests


@pytest.fixture(scope="session")
def shared_folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder that the test workers share; without them, one of this process."""
    shared = getattr(request.config, "workerinput", {}).get("shared")
    return Path(shared or tmp_path_factory.mktemp("seed"))


@pytest.fixture(scope="session")
def seed_data(request: pytest.FixtureRequest, shared_folder: Path) -> Path:
    """Return the folder of db/, and of a stopped server's data with both templates if test workers share it."""
    is_shared, seed = hasattr(request.config, "workerinput"), shared_folder
    with _alone(seed):
        if not (seed / "db").exists():
            shutil.copytree(DB, seed / "db")  # edits during the tests have no effect
            core_with(seed / CORE / "db", seed / "db")
        if is_shared and not DSN and not (seed / "postgres").exists():
            with _server(keep=seed / "postgres") as settings:
                migrated(replace(settings, database=TEMPLATE, db=seed / "db"))
                migrated(replace(settings, database=CORE, db=seed / CORE / "db"))
    return seed


@pytest.fixture(scope="session")
def server(seed_data: Path) -> Iterator[Settings]:
    """Run the embedded server, or Debian's of HEADGATE_TEST_POSTGRES, or use that of HEADGATE_TEST_DSN."""
    with _server(seed=seed_of(seed_data)) as settings:
        yield replace(settings, db=seed_data / "db")


def seed_of(seed_data: Path) -> Path | None:
    """Return the data of a stopped server with both templates, if test workers share it."""
    seed = seed_data / "postgres"
    return seed if seed.exists() else None


@contextmanager
def _server(*, seed: Path | None = None, keep: Path | None = None) -> Iterator[Settings]:
    if DEBIAN:
        if not has_debian(DEBIAN):
            pytest.skip(f"PostgreSQL {DEBIAN} is not installed here")
        with debian_server(DEBIAN, seed=seed, keep=keep) as settings:
            yield settings
    elif DSN:
        with scratch_folder() as home:
            yield Settings(dsn=DSN, database="postgres", home=home, db=DB)
    else:
        with embedded_server(seed=seed, keep=keep) as settings:
            yield settings


class Clones:
    """Creates databases: `clone(settings)` copies one, `clone(None)` creates an empty one; drops them at the end.

    A clone's clock starts at `tests.clock.NOW`.
    """

    def __init__(self, server: Settings) -> None:
        self._server = server
        self._made: list[Settings] = []
        self._connection: Connection[DictRow] | None = None

    def _live(self) -> Connection[DictRow]:
        """Return one connection for all clones: opening two for each took a quarter of its processor time."""
        if self._connection is not None:
            try:
                self._connection.execute("select")
                return self._connection
            except psycopg.OperationalError:  # a test has killed the server meanwhile
                self._connection.close()
        self._connection = connect_server(self._server, "test")
        return self._connection

    def __call__(self, source: Settings | None, name: str | None = None) -> Settings:
        settings = self._server.with_database(name or _name("database"))
        statement = sql.SQL("create database {} template {} strategy {}").format(
            sql.Identifier(settings.database),
            sql.Identifier(source.database if source else "template0"),
            sql.Identifier("wal_log" if DSN else "file_copy"),  # faster without fsync
        )
        connection = self._live()
        connection.execute(statement)
        if source:  # a clone does not inherit the database's own settings
            jit_off = sql.SQL("alter database {} set jit = off")
            connection.execute(jit_off.format(sql.Identifier(settings.database)))
            connection.execute(clock.moved(settings.database))
        self._made.append(settings)
        return settings

    def drop(self, settings: Settings) -> None:
        """Drop a database before the end."""
        self._made.remove(settings)
        self._live().execute(_dropped(settings))

    def drop_all(self) -> None:
        """Drop all remaining databases, and close the connection."""
        for settings in self._made.copy():
            self.drop(settings)
        if self._connection is not None:
            self._connection.close()


@pytest.fixture(scope="session")
def clone(server: Settings) -> Iterator[Clones]:
    """Create databases that last as long as the test run."""
    clones = Clones(server)
    yield clones
    clones.drop_all()


@pytest.fixture
def clone_for_test(clone: Clones) -> Iterator[Callable[..., Settings]]:
    """Create databases that last as long as the test."""
    made: list[Settings] = []

    def make(source: Settings | None, name: str | None = None) -> Settings:
        made.append(clone(source, name))
        return made[-1]

    yield make
    for settings in made:
        clone.drop(settings)


@pytest.fixture(scope="session")
def template(server: Settings) -> Iterator[Settings]:
    """Migrate a database once; its sessions may move the clock."""
    settings = server.with_database(_name("template") if DSN else TEMPLATE)
    with _alone(server.db.parent):  # test workers may share the server and its roles
        if not database_exists(settings):
            migrated(settings)
    yield settings
    _drop(settings)


@pytest.fixture(scope="session")
def small_template(clone: Clones, template: Settings) -> Settings:
    """Clone the template and keep a few listings per exchange, so that a run of all is planned quickly."""
    settings = clone(template)
    with connect(settings, "test") as connection:
        with connection.transaction():
            connection.execute((SMALLER % FEW).encode())
        connection.execute("vacuum (full, analyze)")
    return settings


@pytest.fixture(scope="session")
def core_template(server: Settings) -> Iterator[Settings]:
    """Migrate the core without plans, for quick cloning."""
    name = _name("core") if DSN else CORE
    settings = replace(server.with_database(name), db=server.db.parent / CORE / "db")
    with _alone(server.db.parent):
        if not database_exists(settings):
            migrated(settings)
    yield settings
    _drop(settings)


@pytest.fixture(scope="session")
def core_data(seed_data: Path) -> Iterator[Path]:
    """Return the data of a stopped embedded server that has the core in database `headgate`."""
    seed = None if DEBIAN else seed_of(seed_data)
    with scratch_folder(in_memory=True) as folder:
        with embedded_server(seed=seed, keep=folder / "data") as settings:
            if seed:
                with connect_server(settings, "test") as connection:
                    connection.execute(f"alter database {CORE} rename to headgate".encode())
                    connection.execute(f"drop database {TEMPLATE}".encode())
            else:
                db = seed_data / CORE / "db"
                migrated(replace(settings, database="headgate", db=db))
        yield folder / "data"


@pytest.fixture
def database(clone_for_test: Callable[[Settings | None], Settings], template: Settings) -> Settings:
    """Clone the template, for tests with several connections, runners or commits."""
    return clone_for_test(template)


@pytest.fixture
def small_database(
    clone_for_test: Callable[[Settings | None], Settings], small_template: Settings
) -> Settings:
    """Clone the small template, for tests with several runs that need only a few listings."""
    return clone_for_test(small_template)


class Warm:
    """One connection for all tests that roll back, so that functions are compiled only once."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._connection = self._connect()

    def _connect(self) -> Connection[DictRow]:
        return connect(self._settings, "test", autocommit=False)

    def live(self) -> Connection[DictRow]:
        """Return the connection; a new one if a test has killed the server meanwhile."""
        try:
            self._connection.execute("select")
        except psycopg.OperationalError:
            self._connection.close()
            self._connection = self._connect()
        return self._connection

    @contextmanager
    def frozen(self) -> Iterator[Plan]:
        """Yield a transaction with a frozen clock."""
        plan = Plan(self.live())
        plan.freeze_clock(clock.NOW)
        yield plan
        self._connection.rollback()

    def close(self) -> None:
        """Close the connection."""
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
    """Yield a transaction with a frozen clock that is rolled back at the end."""
    with _warm_db.frozen() as plan:
        yield plan


@pytest.fixture
def small_db(_warm_small_db: Warm) -> Iterator[Plan]:
    """Yield a transaction like `db`, in the small template."""
    with _warm_small_db.frozen() as plan:
        yield plan


@pytest.fixture
def plan(database: Settings) -> Iterator[Plan]:
    """Connect to the test's own clone; every call commits."""
    with connect(database, "test") as connection:
        yield Plan(connection)


@pytest.fixture(scope="session")
def _s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with s3_server(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture
def s3(_s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> S3Server:
    """Return an S3 server, with the variables set that stores in it name."""
    for name in (KEY_ID, SECRET):
        monkeypatch.setenv(name, "any-value-will-do")
    return _s3_server


@pytest.fixture
def headgate() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run the command line in its own process: `headgate("status", settings=database)`."""

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
    """Set Airflow's variables to a temporary folder before any test imports it: it reads them once."""
    home = tmp_path_factory.mktemp("airflow")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in airflow_home_module.environ(home).items():
            patch.setenv(name, value)
        yield home


@pytest.fixture(scope="session")
def airflow_database(shared_folder: Path) -> Path:
    """Return Airflow's database, migrated once for all test workers: Airflow's start alone takes seconds."""
    folder = shared_folder / "airflow"
    folder.mkdir(exist_ok=True)
    with _alone(folder):
        return airflow_home_module.migrated(folder)


@pytest.fixture(scope="session")
def airflow_home(airflow_folder: Path, airflow_database: Path) -> Path:
    """Create Airflow's temporary folder with a database of its own, before it is imported."""
    shutil.copy(airflow_database, airflow_folder)
    return airflow_folder


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Let one test worker at a time migrate."""
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _name(what: str) -> str:
    return f"headgate_test_{what}_{os.getpid()}_{next(COUNTER)}"


def _drop(settings: Settings) -> None:
    with connect_server(settings, "test") as connection:
        connection.execute(_dropped(settings))


def _dropped(settings: Settings) -> sql.Composed:
    statement = sql.SQL("drop database if exists {} with (force)")
    return statement.format(sql.Identifier(settings.database))

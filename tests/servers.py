"""PostgreSQL servers for tests, and databases on them: thrown away afterwards, also when an earlier run was killed."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import psutil

from runner.database import connect
from runner.migrate import migrate
from runner.server import Server
from runner.settings import Settings
from tests import clock
from tests.limits import PATIENCE

PREFIX = "headgate-test-"
DB = Path(__file__).resolve().parents[1] / "db"
DEBIAN = Path("/usr/lib/postgresql")

# A test's data need not survive the machine; everything else is as in earnest.
PARAMETERS = {"fsync": "off", "full_page_writes": "off", "shared_buffers": "128MB"}
IN_MEMORY = PARAMETERS | {"max_wal_size": "256MB", "min_wal_size": "64MB"}
MEMORY = Path("/dev/shm")
ENOUGH_MEMORY = 6 * 2**30


@contextmanager
def embedded_server(*, seed: Path | None = None, keep: Path | None = None) -> Iterator[Settings]:
    """Run the embedded server in a folder of its own; `seed` and `keep` are data, before and after."""
    with scratch_folder(in_memory=True) as home:
        server = Server(home)
        if seed is not None:
            _copy(seed, server.data)
        server.start(parameters=IN_MEMORY)
        try:
            yield Settings(dsn=None, database="postgres", home=home, db=DB)
        finally:
            server.stop()
        if keep is not None:
            _copy(server.data, keep)


@contextmanager
def debian_server(
    version: str, *, seed: Path | None = None, keep: Path | None = None
) -> Iterator[Settings]:
    """Run the distribution's PostgreSQL of that version, like the embedded one."""
    programs = DEBIAN / version / "bin"
    with scratch_folder(in_memory=True) as home:
        user = _user(home)
        data = home / "postgres"
        if seed is not None:
            _copy(seed, data)
        else:
            _run(user, programs / "initdb", "-A", "trust", "-U", "postgres", "-D", data)
        options = " ".join(f"-c {name}={value}" for name, value in IN_MEMORY.items())
        options += f" -c listen_addresses='' -c unix_socket_directories={home}"
        log = home / "server.log"
        _run(user, programs / "pg_ctl", "start", "-w", "-D", data, "-l", log, "-o", options)
        try:
            dsn = f"postgresql://postgres@/postgres?host={home}"
            yield Settings(dsn=dsn, database="postgres", home=home, db=DB)
        finally:
            how = "fast" if keep else "immediate"
            _run(user, programs / "pg_ctl", "stop", "-w", "-m", how, "-D", data)
        if keep is not None:
            _copy(data, keep)


@contextmanager
def debian_over_tcp(version: str, port: int, password: str) -> Iterator[None]:
    """Run the distribution's PostgreSQL on 127.0.0.1 alone, where everybody needs a password."""
    programs = DEBIAN / version / "bin"
    with scratch_folder() as home:
        user = _user(home)
        data, word = home / "postgres", home / "word"
        word.write_text(password)
        if user is not None:
            shutil.chown(word, user)
        word.chmod(0o600)
        given = ("-A", "scram-sha-256", "-U", "postgres", f"--pwfile={word}", "-D", data)
        _run(user, programs / "initdb", *given)
        options = " ".join(f"-c {name}={value}" for name, value in PARAMETERS.items())
        options += f" -c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories=''"
        environ = os.environ | {"PGPASSWORD": password}
        log = home / "server.log"
        start = ("start", "-w", "-D", data, "-l", log, "-o", options)
        _run(user, programs / "pg_ctl", *start, env=environ)
        try:
            yield
        finally:
            _run(user, programs / "pg_ctl", "stop", "-w", "-m", "immediate", "-D", data)


@contextmanager
def scratch_folder(*, in_memory: bool = False) -> Iterator[Path]:
    """Make a folder with a short path (a socket fits in), named after this process.

    In memory, if there is enough: a database is cloned four times as fast there.
    """
    _remove_orphans()
    place = MEMORY if in_memory and _has_room(MEMORY) else Path("/tmp")
    folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=place))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def migrated(settings: Settings) -> None:
    """Migrate a database whose sessions may move their clocks; its plans were loaded the day before."""
    with tempfile.TemporaryDirectory(prefix="core") as folder:
        core = Path(folder) / "db"
        shutil.copytree(settings.db, core, ignore=shutil.ignore_patterns("plans"))
        migrate(replace(settings, db=core))
    with connect(settings, "test") as connection:
        connection.execute("update headgate.settings set value = 'true' where name = 'test_clock'")
        connection.execute(clock.moved(settings.database, clock.NOW - timedelta(days=1)))
        migrate(settings)
        connection.execute(clock.moved(settings.database))


def has_debian(version: str) -> bool:
    """Tell whether the distribution's PostgreSQL of that version is installed."""
    return (DEBIAN / version / "bin" / "initdb").exists()


def _has_room(memory: Path) -> bool:
    if not memory.is_dir():
        return False
    return ENOUGH_MEMORY < min(shutil.disk_usage(memory).free, psutil.virtual_memory().available)


def _copy(data: Path, to: Path) -> None:
    """Copy a stopped server's data with their owner."""
    _run(None, "cp", "-a", data, to)


def _remove_orphans() -> None:
    """Stop and remove what a killed run left behind."""
    for folder in (x for place in (Path("/tmp"), MEMORY) for x in place.glob(f"{PREFIX}*-*")):
        owner = folder.name.removeprefix(PREFIX).partition("-")[0]
        if psutil.pid_exists(int(owner)):
            continue
        pid_file = folder / "postgres" / "postmaster.pid"
        if pid_file.exists():
            pid = int(pid_file.read_text().split("\n", 1)[0])
            if psutil.pid_exists(pid) and str(pid_file.parent) in psutil.Process(pid).cmdline():
                psutil.Process(pid).terminate()
                psutil.wait_procs([psutil.Process(pid)], timeout=PATIENCE)
        shutil.rmtree(folder, ignore_errors=True)


def _user(home: Path) -> str | None:
    """Return the package's own user when we are root, as whom PostgreSQL refuses to run."""
    if os.geteuid() != 0:
        return None
    shutil.chown(home, "postgres")
    home.chmod(0o755)
    return "postgres"


def _run(user: str | None, *command: object, env: dict[str, str] | None = None) -> None:
    done = subprocess.run(
        [str(x) for x in command],
        user=user,
        env=env,
        cwd="/tmp",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,  # not a pipe: the server would keep it open
        stderr=subprocess.DEVNULL,
    )
    assert done.returncode == 0, f"{command} ended with {done.returncode}"

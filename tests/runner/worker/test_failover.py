"""After the loss of a primary, runners continue on its standby with the answers they hold."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from psycopg.conninfo import make_conninfo

from headgate.conninfo import effective
from headgate.database import connect
from headgate.embedded.server import SUPERUSER, Server
from headgate.sessions import may_stray
from headgate.settings import Settings
from tests.limits import until
from tests.plan import Plan
from tests.runner.shop import open_shop, when
from tests.runner.small_plan import start, status, write_plan
from tests.runner.worker.running import endings, ledger, working
from tests.servers import kill, primary_and_standby


@pytest.fixture
def pair(core_data: Path) -> Iterator[tuple[Server, Server]]:
    """Run a primary with Headgate in it, and its standby."""
    with primary_and_standby(core_data) as servers:
        yield servers


def both(standby: Server, primary: Server, db: Path, *, port: str = "5432") -> Settings:
    """Return a connection string of both servers, the standby first."""
    running = [x.running() for x in (standby, primary)]
    hosts = ",".join(x.socket_dir for x in running if x)
    dsn = make_conninfo("", host=hosts, port=port, user=SUPERUSER, dbname="headgate")
    return Settings(dsn=dsn, database="headgate", home=primary.home, db=db)


async def test_answers_are_handed_in_at_the_standby_when_the_primary_is_lost(
    pair: tuple[Server, Server], core_template: Settings
):
    primary, standby = pair
    settings = both(standby, primary, core_template.db)
    is_over = asyncio.Event()
    async with open_shop() as shop:
        shop.answer = when(is_over.is_set)
        with connect(settings, "test") as connection:
            plan = Plan(connection)
            write_plan(
                plan,
                base_url=shop.url,
                assets=20,
                provider_columns={"quota": 100},
                operation_columns={"units": 1},
            )
            start(plan)

        async with working(settings):
            await until(lambda: shop.open == 20)
            kill(primary)
            is_over.set()
            await until(lambda: shop.open == 0)
            with connect(alone(settings, standby), "test") as connection:
                plan = Plan(connection)
                plan.sql("select pg_promote()")
                await until(lambda: status(plan)["status"] != "running")
                assert endings(plan) == {"success": 20}
                assert ledger(plan) == {"reserved": 0, "spent": 20}
        assert len(shop.asked) == 20, "no call was made twice"


def test_of_several_hosts_one_that_takes_writes_is_chosen_unless_told_otherwise(
    monkeypatch: pytest.MonkeyPatch,
):
    for conninfo in ("host=a,b", "postgresql://a,b/x", "hostaddr=::1,::2"):
        assert may_stray(effective(conninfo))
    for conninfo in ("host=a", "host=a,b target_session_attrs=standby"):
        assert not may_stray(effective(conninfo))
    monkeypatch.setenv("PGTARGETSESSIONATTRS", "primary")
    assert not may_stray(effective("host=a,b"))


def alone(settings: Settings, server: Server) -> Settings:
    """Return a connection string of one server, whatever its role."""
    running = server.running()
    assert running is not None
    return replace(settings, dsn=running.dsn("headgate"))

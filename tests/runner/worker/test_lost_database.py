"""A worker that is told to end while its database is gone ends soon, and says what is lost."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from headgate.database import connect, dsn_of
from headgate.embedded.server import Server
from headgate.errors import ServerUnreachable
from headgate.settings import Settings
from headgate.worker import worker
from tests.limits import PATIENCE, until
from tests.plan import Plan
from tests.runner.shop import Shop, json_of, never
from tests.runner.small_plan import start, write_plan
from tests.runner.worker.running import working
from tests.servers import DB, embedded_server, kill

LISTENING = "select count(*) from pg_stat_activity where application_name ~ 'listening'"
LOST = "chunks left to their leases: 1; calls whose answers are lost: 5"


@dataclass(frozen=True)
class Mortal:
    """A server with Headgate, which a test may kill."""

    settings: Settings

    def kill(self) -> None:
        kill(Server(self.settings.home))

    def start_calls(self, shop: Shop) -> None:
        """Start a run of one chunk of five calls; one is answered, the others never."""
        shop.answer = never()
        shop.special["/api/things/T1"] = json_of("{}")
        with connect(self.settings, "test") as connection:
            plan = Plan(connection)
            write_plan(plan, base_url=shop.url, assets=5, operation_columns={"chunk_size": 5})
            start(plan)


@pytest.fixture
def mortal(core_data: Path, core_template: Settings) -> Iterator[Mortal]:
    with embedded_server(seed=core_data) as server:
        yield Mortal(replace(server, database="headgate", db=core_template.db))


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give a lost database no time, and open calls all the time there is."""
    monkeypatch.setattr(worker, "LOST_SECONDS", 0.0)
    monkeypatch.setattr(worker, "DRAIN_SECONDS", PATIENCE)


@pytest.mark.usefixtures("hasty")
async def test_calls_under_way_are_cut_and_what_is_lost_is_said(mortal: Mortal, shop: Shop):
    mortal.start_calls(shop)
    stop = asyncio.Event()

    with pytest.raises(ServerUnreachable) as lost:
        async with working(mortal.settings, stop):
            await until(lambda: len(shop.asked) == 5 and shop.open == 4)
            mortal.kill()

    assert str(lost.value).endswith(LOST)
    assert "another worker takes the chunks" in (lost.value.hint or "")


@pytest.mark.usefixtures("hasty")
async def test_an_idle_worker_has_nothing_to_lose(mortal: Mortal):
    with pytest.raises(ServerUnreachable, match="no work is lost"):
        async with working(mortal.settings):
            with connect(mortal.settings, "test") as connection:
                await until(lambda: Plan(connection).scalar(LISTENING))
            mortal.kill()


async def test_the_command_fails_without_a_traceback(mortal: Mortal, shop: Shop):
    mortal.start_calls(shop)
    settings = mortal.settings
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "headgate", "worker"),
        env={**os.environ, "HEADGATE_DSN": dsn_of(settings), "HEADGATE_DB": str(settings.db)},
        cwd=DB.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        await until(lambda: len(shop.asked) == 5 and shop.open == 4)
        mortal.kill()
        process.send_signal(signal.SIGTERM)
        out, err = await asyncio.wait_for(process.communicate(), PATIENCE)
    finally:
        if process.returncode is None:
            process.kill()

    assert process.returncode == 1, err
    assert LOST.encode() in err
    assert b"Traceback" not in out + err

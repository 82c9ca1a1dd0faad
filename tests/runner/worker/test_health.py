"""A supervisor sees by two files whether a worker turns, and whether PostgreSQL hears it."""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import psycopg
import pytest

from headgate.settings import Settings
from headgate.worker import health, heartbeat, work
from headgate.worker.connection_pool import ConnectionPool
from headgate.worker.health import Health
from headgate.worker.queue import Heard
from tests.limits import until
from tests.plan import Plan


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "SECONDS", 0.01)
    monkeypatch.setattr(heartbeat, "BEAT_SECONDS", 0.01)


async def test_a_worker_is_alive_and_ready_until_it_ends(
    core_database: Settings, plan: Plan, tmp_path: Path, quick: None
):
    stop = asyncio.Event()
    working = asyncio.create_task(work(replace(core_database, health=tmp_path), stop=stop))
    alive, ready = tmp_path / "alive", tmp_path / "ready"
    await until(ready.exists)
    os.utime(alive, (0, 0))
    await until(lambda: alive.stat().st_mtime > 0)

    stop.set()
    await working

    assert not ready.exists()


async def test_while_postgresql_does_not_hear_it_it_is_alive_but_not_ready(
    tmp_path: Path, quick: None
):
    is_away = False

    async def run(_: Any) -> Heard:
        if is_away:
            raise psycopg.OperationalError("the server is away")
        return Heard(ended_leases=0, counts_due=False)

    connections = cast(ConnectionPool, SimpleNamespace(run=run))
    files = Health(tmp_path)
    tasks = [
        asyncio.create_task(files.stay_alive()),
        asyncio.create_task(heartbeat.beat(connections, health=files)),
    ]
    alive, ready = tmp_path / "alive", tmp_path / "ready"
    await until(ready.exists)

    is_away = True
    await until(lambda: not ready.exists())
    os.utime(alive, (0, 0))
    await until(lambda: alive.stat().st_mtime > 0)

    is_away = False
    await until(ready.exists)
    for task in tasks:
        task.cancel()

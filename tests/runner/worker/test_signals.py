"""A worker that is told to end finishes its calls, gives back the rest and leaves no lease."""

from __future__ import annotations

import asyncio
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from headgate.database import dsn_of
from headgate.settings import Settings
from tests.limits import until
from tests.plan import Plan
from tests.runner.shop import Shop, when
from tests.runner.small_plan import start, status, write_plan
from tests.servers import DB

LEASED = "select count(*) from headgate.chunks where state = 'leased'"
LISTENING = "select count(*) from pg_stat_activity where datname = current_database() and application_name ~ 'listening'"
CONTROLLING = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0);"
    " os.execv(sys.executable, [sys.executable, '-m', 'headgate', *sys.argv[1:]])"
)
"""Makes standard input the controlling terminal of a process, as a login does."""


@pytest.fixture
def database(core_database: Settings, core_template: Settings) -> Settings:
    return replace(core_database, db=core_template.db)


@pytest.fixture
def plan(core_plan: Plan) -> Plan:
    return core_plan


@pytest.fixture(autouse=True)
def _heeding() -> Iterator[None]:
    """Let started processes receive SIGHUP, even if these tests run under nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.fixture
def spawn(database: Settings) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Start a command in its own process, killed at the end if need be."""
    environ = {**os.environ, "HEADGATE_DSN": dsn_of(database), "HEADGATE_DB": str(database.db)}
    started = []

    def begin(*command: str, **options) -> subprocess.Popen[bytes]:
        streams = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        process = subprocess.Popen(command, env=environ, cwd=DB.parent, **{**streams, **options})
        started.append(process)
        return process

    yield begin
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def on_terminal(spawn) -> Callable[..., tuple[subprocess.Popen[bytes], int]]:
    """Start `headgate` on a terminal of its own; closing the returned descriptor closes the terminal."""

    def begin(*arguments: str) -> tuple[subprocess.Popen[bytes], int]:
        window, terminal = pty.openpty()
        streams = dict.fromkeys(("stdin", "stdout", "stderr"), terminal)
        command = (sys.executable, "-c", CONTROLLING, *arguments)
        process = spawn(*command, **streams, start_new_session=True)
        os.close(terminal)
        return process, window

    return begin


async def ended(process: subprocess.Popen[bytes]) -> int:
    """Wait for a process to end, and return its code."""
    await until(lambda: process.poll() is not None)
    return process.returncode


def waiting_shop(plan: Plan, shop: Shop) -> asyncio.Event:
    """Write a plan of ten jobs, one call at a time, none of which is answered before the event."""
    answers = asyncio.Event()
    shop.answer = when(answers.is_set)
    write_plan(plan, base_url=shop.url, provider_columns={"max_in_flight": 1})
    return answers


async def test_a_worker_whose_terminal_closes_gives_back_what_waits(plan, shop, on_terminal):
    answers = waiting_shop(plan, shop)
    start(plan)
    process, window = on_terminal("worker")
    await until(lambda: shop.asked)

    os.close(window)
    answers.set()

    assert await ended(process) == 0
    assert plan.scalar(LEASED) == 0
    assert plan.scalar("select count(*) from headgate.asset_processing_details") == len(shop.asked)
    assert status(plan)["queued"] == 10 - len(shop.asked)


async def test_a_run_whose_terminal_closes_leaves_no_lease(plan, shop, on_terminal):
    answers = waiting_shop(plan, shop)
    process, window = on_terminal("run", "small_shop")
    await until(lambda: shop.asked)

    os.close(window)
    answers.set()
    assert await ended(process) == 129

    assert plan.scalar(LEASED) == 0


async def test_a_second_hang_up_says_nothing_new(plan, shop, spawn):
    answers = waiting_shop(plan, shop)
    start(plan)
    process = spawn(sys.executable, "-m", "headgate", "worker")
    await until(lambda: shop.asked)

    for _ in range(3):
        process.send_signal(signal.SIGHUP)
    answers.set()

    assert await ended(process) == 0
    assert plan.scalar(LEASED) == 0


async def test_a_worker_under_nohup_stays(plan, shop, spawn):
    process = spawn("nohup", sys.executable, "-m", "headgate", "worker", stdin=subprocess.DEVNULL)
    await until(lambda: plan.scalar(LISTENING))

    process.send_signal(signal.SIGHUP)
    waiting_shop(plan, shop).set()
    start(plan)
    await until(lambda: status(plan)["status"] == "succeeded")
    process.send_signal(signal.SIGTERM)

    assert await ended(process) == 0

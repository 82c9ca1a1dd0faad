"""The handlers' processes end with their pool, even in the middle of work."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace

import psutil
import pytest

from headgate.handlers.pool import Pool
from headgate.handlers.pool_messages import Input, Task
from tests.limits import PATIENCE, until

HANGS = Task(
    "tests.runner.handlers.samples:hangs",
    "compute",
    {"now": "2026-06-15T12:00:00+00:00"},
    [1],
    ["P5"],
    [None],
    Input(),
    None,
    timeout_seconds=3600,
    max_memory=2**30,
)


def processes() -> list[int]:
    """Return this process's children that run handlers; ended ones run none."""
    found = []
    for child in psutil.Process().children():
        with suppress(psutil.NoSuchProcess):  # a zombie, too
            if "headgate.handlers.pool_process" in child.cmdline():
                found.append(child.pid)
    return found


async def test_a_process_reads_no_entry_points():
    """The runner has read them, for all of its processes: it takes a tenth of their start."""
    pool = Pool(1)
    handler = "tests.runner.handlers.samples:tells_what_is_imported"
    done = await pool.run(replace(HANGS, handler=handler))
    await pool.aclose()

    assert [job.output for job in done.jobs] == ["[]"]


async def test_a_process_reads_them_itself_where_the_runner_cannot(monkeypatch: pytest.MonkeyPatch):
    def fails(group: str, name: str) -> str:
        raise ValueError("what is installed cannot be read")

    monkeypatch.setattr("headgate.handlers.pool.place_of", fails)
    pool = Pool(1)
    handler = "tests.runner.handlers.samples:tells_what_is_imported"
    done = await pool.run(replace(HANGS, handler=handler))
    await pool.aclose()

    (job,) = done.jobs
    assert job.output is not None and "importlib.metadata" in job.output


@pytest.mark.parametrize("times", [1, 2])
async def test_a_task_that_is_cancelled_while_its_process_is_killed_leaves_none(times: int):
    """Cancelled twice, the task does not wait for the end of its process; the pool does."""
    pool = Pool(1)
    running = asyncio.create_task(pool.run(HANGS))
    await until(lambda: pool._busy)  # a process that is yet starting is killed without the pool

    for _ in range(times):
        running.cancel()
        await asyncio.sleep(0)
    with pytest.raises(asyncio.CancelledError):
        await running
    await pool.aclose()

    assert processes() == []


async def test_a_process_serves_one_set_of_variables(monkeypatch: pytest.MonkeyPatch):
    """Each handler sees what its operation declares; an idle process is replaced for other variables."""
    monkeypatch.setenv("MODEL_KEY", "the-model-s-key")
    monkeypatch.setenv("OTHER_KEY", "another-key")
    tells = replace(
        HANGS, handler="tests.runner.handlers.samples:names_its_keys", timeout_seconds=PATIENCE
    )
    pool = Pool(1)
    seen = []
    for names in (("MODEL_KEY",), ("MODEL_KEY",), ("OTHER_KEY",), ()):
        done = await pool.run(replace(tells, environment=names))
        seen.append((done.jobs[0].error, processes()[-1]))
        await until(lambda: len(processes()) == 1)
    await pool.aclose()

    assert [said for said, _ in seen] == ["keys: MODEL_KEY"] * 2 + ["keys: OTHER_KEY", "keys:"]
    assert len({process for _, process in seen}) == 3


async def test_memory_that_the_c_library_keeps_is_given_back_before_a_process_is_replaced():
    frees = replace(
        HANGS,
        handler="tests.runner.handlers.samples:frees_what_it_used",
        timeout_seconds=PATIENCE,
        max_memory=96 * 2**20,
    )
    pool = Pool(1)
    seen = []
    for _ in range(3):
        done = await pool.run(frees)
        assert done.peak_memory > 48 * 2**20
        seen.append((done.must_end, processes()))
    await pool.aclose()

    assert seen == [(None, seen[0][1])] * 3


async def test_what_a_handler_prints_is_logged_at_once(monkeypatch, caplog):
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    caplog.set_level(logging.INFO)
    pool = Pool(1)

    greets = "tests.runner.handlers.samples:greets"
    done = await pool.run(replace(HANGS, handler=greets, timeout_seconds=PATIENCE))

    assert (done.jobs[0].error or "").startswith("ValueError: it rains")
    await until(lambda: "a handler says: good morning" in caplog.messages)
    await pool.aclose()


def test_a_process_whose_runner_was_killed_while_it_started_ends():
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()

    process = subprocess.Popen(
        [sys.executable, "-m", "headgate.handlers.pool_process", str(gone.pid), "0"],
        stdin=subprocess.PIPE,  # stays open, as if a task were to come
        stdout=subprocess.DEVNULL,
    )

    with process:
        assert process.wait(PATIENCE) == 1

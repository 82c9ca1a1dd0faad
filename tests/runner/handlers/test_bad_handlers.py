"""Forbidden actions of a handler end with a clear message on its assets; the worker survives."""

from __future__ import annotations

import logging
import os
import re
import subprocess
import sys
from typing import Any

import pytest

from tests.limits import wait_until
from tests.runner.handlers.compute_plan import ends, start, status, write_plan
from tests.servers import DB

NAP = f"9877.{os.getpid()}"
"""Processes left behind sleep this many seconds: a number that no other test on this machine uses."""
SUCCESS = {("success", None)}
SEES_NAP: dict[str, Any] = {"handler_environment": ["HEADGATE_TEST_NAP"]}
RUN_ONE = """
import asyncio
from headgate.handlers.pool import Pool
from headgate.handlers.pool_messages import Input, Task

handler = "tests.runner.handlers.samples:leaves_a_session_and_hangs"
task = Task(handler, "compute", {"now": "2026-06-15T12:00:00+00:00"}, [1], ["P0"], [None], Input(), None, 3600, 2**30, ("HEADGATE_TEST_NAP",))
asyncio.run(Pool(1).run(task))
"""


@pytest.fixture(autouse=True)
def _our_own_nap(monkeypatch):
    monkeypatch.setenv("HEADGATE_TEST_NAP", NAP)


async def work_off(plan, run, handler, **operation):
    """Run a handler over ten assets, with P3 at fault; return the end of the run."""
    write_plan(
        plan,
        f"tests.runner.handlers.samples:{handler}",
        **{"max_attempts": 1, **SEES_NAP, **operation},
    )
    start(plan)
    await run()
    found = ends(plan)
    return found.pop("P3"), list(found.values())


@pytest.mark.parametrize(
    ("handler", "message"),
    [
        ("nowhere", "there is no handler 'tests.runner.handlers.samples:nowhere': AttributeError"),
        ("no_signature", "cannot be called with a chunk alone: too many positional arguments"),
        ("says_nothing", "the handler returned NoneType, not a Result"),
        ("wrong_columns", "the wrong columns; missing: mean; unknown: average"),
        ("wrong_type", "column bars is not integer: not all of its numbers are whole"),
    ],
)
async def test_a_broken_contract_is_the_plan_s_fault_and_defers(plan, run, handler, message):
    guilty, others = await work_off(plan, run, handler)

    ((outcome, reason),) = guilty
    assert outcome == "deferred"
    assert message in reason
    assert others == [guilty] * 9
    assert plan.scalar("select sum(consecutive_failures) from headgate.asset_processing_state") == 0


@pytest.mark.parametrize(
    ("handler", "message"),
    [
        ("nan_keys", "no row for it; 1 of its rows are of no asset of the chunk: nan"),
        ("infinite", 'violates check constraint "means_mean_check"'),
    ],
)
async def test_one_bad_row_harms_its_asset_alone(plan, run, handler, message):
    guilty, others = await work_off(plan, run, handler)

    ((outcome, reason),) = guilty
    assert outcome == "failed"
    assert message in reason
    assert others == [SUCCESS] * 9


async def test_an_asset_without_a_row_fails(plan, run):
    write_plan(plan, "tests.runner.handlers.samples:too_few_rows", max_attempts=1)
    start(plan)

    await run()

    found = ends(plan)
    assert found.pop("P9") == {("failed", "the handler returned no row for it")}
    assert list(found.values()) == [SUCCESS] * 9


@pytest.mark.parametrize(
    ("handler", "message"),
    [
        ("greedy", "it needed more than 512 MB of memory"),
        ("hangs", "it took longer than 2 seconds"),
        ("exits", "its process ended itself with code 3; its last words: good-bye"),
        ("crashes", "its process was killed by SIGSEGV"),
    ],
)
async def test_a_chunk_whose_process_dies_is_retried_then_split(plan, run, hurry, handler, message):
    hurry("P3")
    limits = {"timeout": "2 seconds"} if handler == "hangs" else {}
    guilty, others = await work_off(plan, run, handler, assets=4, max_memory=512 * 2**20, **limits)

    ((outcome, reason),) = guilty
    assert (outcome, reason.partition(message)[0]) == ("deferred", "internal: three times: ")
    assert others == [SUCCESS] * 3


async def test_megabytes_that_are_printed_are_dropped(plan, run, caplog):
    caplog.set_level(logging.INFO)

    guilty, others = await work_off(plan, run, "prints")

    assert [guilty, *others] == [SUCCESS] * 10
    assert re.search(r"printed (49|50)\d{5} bytes", caplog.text), (
        "the last of it is still in the pipe"
    )
    assert len(caplog.text) < 20_000


async def test_a_leak_costs_the_process_and_nothing_else(plan, run, caplog):
    guilty, others = await work_off(plan, run, "leaks", chunk_size=1, max_memory=256 * 2**20)

    assert [guilty, *others] == [SUCCESS] * 10
    assert "its process is replaced: it keeps" in caplog.text


@pytest.mark.parametrize("handler", ["forks", "leaves_a_process"])
async def test_processes_that_a_handler_starts_do_not_outlive_it(plan, run, caplog, handler):
    guilty, others = await work_off(plan, run, handler)

    assert [guilty, *others] == [SUCCESS] * 10
    children = subprocess.run(
        ["ps", "--ppid", str(os.getpid()), "-o", "args="], capture_output=True, text=True
    ).stdout
    assert "pool_process" not in children
    if handler == "leaves_a_process":
        assert "its process is replaced: it left processes behind" in caplog.text
        assert not sleepers()


def sleepers() -> list[str]:
    return subprocess.run(
        ["pgrep", "-f", f"^sleep {NAP}$"], capture_output=True, text=True
    ).stdout.split()


@pytest.mark.parametrize("then", ["", "_and_hangs", "_and_crashes"])
async def test_processes_that_leave_the_session_do_not_outlive_it_either(plan, run, then):
    limits: dict[str, Any] = {"timeout": "2 seconds"} if then == "_and_hangs" else {}
    handler = f"tests.runner.handlers.samples:leaves_a_session{then}"
    write_plan(plan, handler, assets=2, max_attempts=1, **SEES_NAP, **limits)
    start(plan)

    await run()

    (outcome,) = {x[0] for found in ends(plan).values() for x in found}
    assert outcome == ("deferred" if then else "success")
    wait_until(lambda: not sleepers(), "the end of what was left")


def test_nothing_outlives_a_runner_that_is_killed():
    runner = subprocess.Popen([sys.executable, "-c", RUN_ONE], cwd=DB.parent)
    wait_until(lambda: len(sleepers()) == 1, "what the handler starts")
    runner.kill()
    runner.wait()

    wait_until(lambda: not sleepers(), "the end of what was left")


async def test_input_that_cannot_be_read_names_its_asset(plan, run):
    write_plan(plan, "tests.runner.handlers.samples:mean", max_attempts=1)
    plan.sql(
        "create or replace function public.read_bars(p_context jsonb, p_asset_ids bigint[])"
        " returns table (asset_id bigint, dates date[], close float8[]) language sql stable"
        " security definer set search_path = pg_catalog, pg_temp as $$"
        " select b.asset_id, array_agg(b.date order by b.date), array_agg(1 / (case when a.code = 'P3'"
        " then 0 else 1 end) * b.close order by b.date) from public.bars as b"
        " join headgate.v_assets as a using (asset_id)"
        " where b.asset_id = any (p_asset_ids) group by b.asset_id $$"
    )
    start(plan)

    await run()

    found = ends(plan)
    ((outcome, reason),) = found.pop("P3")
    assert (outcome, "public.read_bars" in str(reason), "division by zero" in str(reason)) == (
        "failed",
        True,
        True,
    )
    assert list(found.values()) == [SUCCESS] * 9
    assert status(plan)["failed"] == 1

"""Handlers on a Dask cluster: the same contract; losing a worker only costs time."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import Any

import pytest

from headgate.errors import HeadgateError
from tests.limits import until
from tests.plan import Plan, Row
from tests.runner.handlers.compute_plan import ends, start, status, write_plan
from tests.runner.handlers.lake import INPUT, artifact
from tests.runner.small_plan import insert

pytestmark = pytest.mark.filterwarnings("ignore")
MEANS = "select mean, count(*) from public.means group by 1"


async def test_a_worker_that_is_killed_in_mid_chunk_costs_only_time(plan, run, cluster):
    write_plan(plan, "tests.runner.handlers.samples:slow_mean", assets=12, chunk_size=2)
    start(plan)
    running = asyncio.create_task(run(dask=cluster.scheduler_address))
    await until(lambda: len(started(plan)) >= 3)

    os.kill(cluster.workers[0].process.pid, signal.SIGKILL)
    await running

    assert status(plan)["succeeded"] == 12
    assert plan.sql(MEANS) == [{"mean": 3.0, "count": 12}]
    assert plan.scalar("select max(attempts) from headgate.asset_processing_details") == 0


async def test_the_contract_is_the_same(plan, run, cluster, hurry):
    hurry("P5")
    write_plan(
        plan,
        "tests.runner.handlers.samples:raises_and_hangs",
        assets=8,
        max_attempts=1,
        timeout="2 seconds",
    )
    start(plan)

    await run(dask=cluster.scheduler_address)

    found = ends(plan)
    ((outcome, reason),) = found.pop("P3")
    assert (outcome, str(reason).partition(" (")[0]) == ("failed", "ValueError: no mean of this")
    ((outcome, reason),) = found.pop("P5")
    assert (outcome, reason) == ("deferred", "internal: three times: it took longer than 2 seconds")
    assert list(found.values()) == [{("success", None)}] * 6


async def test_files_that_are_too_large_to_travel_are_named(
    plan, run, cluster, monkeypatch, tmp_path
):
    monkeypatch.setattr("headgate.handlers.dask.MAX_BYTES", 1024 * 1024)
    insert(plan, "stores", name="lake", url=f"file://{tmp_path}/lake")
    plan.sql(INPUT)
    operation: dict[str, Any] = {
        "input_function": "public.raw_files", "ingest_function": None, "store": "lake", "artifact_name": "a",
        "handler_options": {"formats": ["json"]}, "max_attempts": 1,
    }  # fmt: skip
    write_plan(plan, "convert_formats", assets=1, **operation)
    artifact(plan, tmp_path / "lake", "raw/P0", b'{"a": "%s"}' % (b"x" * 2**21))
    start(plan)
    await run(dask=cluster.scheduler_address)

    (((outcome, reason),),) = ends(plan).values()
    assert outcome == "deferred"
    assert "its files have 2 MB, and 1 MB at most travel to and from a Dask cluster" in str(reason)


async def test_a_scheduler_that_is_not_there_is_named(plan, run, monkeypatch):
    monkeypatch.setattr("headgate.handlers.dask.CONNECT_SECONDS", 0.1)
    with pytest.raises(HeadgateError, match=r"no Dask scheduler answers at tcp://127.0.0.1:1"):
        await run(dask="tcp://127.0.0.1:1")


def started(plan: Plan) -> list[Row]:
    """Return the chunks that are being worked on."""
    return plan.sql("select chunk_id from headgate.chunks where state = 'leased'")

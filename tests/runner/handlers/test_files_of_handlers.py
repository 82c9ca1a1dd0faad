"""Files of handlers are put into a store and then committed as artifacts with their job."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from headgate.database import dsn_of
from headgate.settings import Settings
from headgate.worker.chunks import Store
from headgate.worker.cleaning import clean
from tests.limits import PATIENCE
from tests.plan import Plan, Row
from tests.runner.handlers.compute_plan import ends, start, status, write_plan
from tests.runner.small_plan import insert
from tests.runner.worker.conftest import connections

__all__ = ["connections"]

SAMPLES = "tests.runner.handlers.samples"


@pytest.fixture
def lake(tmp_path, monkeypatch) -> Path:
    """Return the store's folder; unfinished files are beside it."""
    (tmp_path / "spool").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "spool"))
    return Path(tmp_path / "lake")


def writing(plan: Plan, lake: Path, handler: str, *, assets: int = 1, **operation: Any) -> None:
    """Write the plan of an operation that makes files."""
    insert(plan, "stores", name="lake", url=f"file://{lake}")
    write_plan(
        plan, f"{SAMPLES}:{handler}", assets=assets,
        **{
            "ingest_function": None, "input_function": None, "max_attempts": 1, "store": "lake",
            "artifact_name": "{run.id}/{asset.code}", **operation,
        },
    )  # fmt: skip
    start(plan)


def artifacts(plan: Plan) -> list[Row]:
    return plan.sql("select * from headgate.v_artifacts order by name")


def content(row: Row) -> bytes:
    return Path(row["url"].removeprefix("file://")).read_bytes()


async def test_files_are_in_the_store_under_their_hash_when_their_rows_are_there(plan, run, lake):
    writing(plan, lake, "writes_files", assets=2)
    await run()

    rows = artifacts(plan)
    assert [x["name"] for x in rows] == ["r1/P0.csv", "r1/P0.json", "r1/P1.csv", "r1/P1.json"]
    assert [x["rows"] for x in rows] == [1, None, 1, None]
    assert content(rows[0]) == b"code\nP0\n"
    assert content(rows[3]) == b'{"code": "P1"}'
    for row in rows:
        digest = hashlib.sha256(content(row)).hexdigest()
        assert (row["sha256"], row["bytes"]) == (digest, len(content(row)))
        assert digest[:16] in row["url"]
    assert {x["media_type"] for x in rows} == {"text/csv", "application/json"}


async def test_temporary_files_are_gone_afterwards(plan, run, lake):
    writing(plan, lake, "writes_files")
    await run()

    assert list((lake.parent / "spool").iterdir()) == []


async def test_a_file_that_is_made_again_is_put_once(plan, run, lake):
    writing(plan, lake, "writes_files", artifact_name="{asset.code}", due_rule="run")
    await run()
    before = {x: x.stat().st_mtime_ns for x in lake.rglob("*") if x.is_file()}
    start(plan, "r2")
    await run("r2")

    assert {x: x.stat().st_mtime_ns for x in lake.rglob("*") if x.is_file()} == before
    assert [x["run_id"] for x in artifacts(plan)] == ["r2", "r2"]


@pytest.mark.parametrize(
    ("handler", "said"),
    [
        ("climbs", "'../../etc/passwd' is not a file name"),
        ("has_no_name", "'' is not a file name"),
        ("writes_of_another", "the handler has files of no asset of the chunk: [-1]"),
        ("writes_a_number", "a file's content is int, no bytes or path"),
        ("writes_what_is_not_there", "a file of the handler cannot be read: [Errno 2]"),
        ("fills_the_disk", "no space is left for files in"),
    ],
)
async def test_an_invalid_file_is_the_plans_fault(plan, run, lake, handler, said):
    writing(plan, lake, handler, max_wait="1 second", backoff="0.1 seconds")
    await run()

    (((outcome, reason),),) = ends(plan).values()
    assert outcome == "deferred"
    assert said in str(reason)
    assert artifacts(plan) == []


async def test_space_on_the_disk_is_waited_for(plan, run, lake):
    writing(plan, lake, "fills_the_disk_at_first", backoff="0.1 seconds")
    await run()

    assert status(plan)["status"] == "succeeded"
    assert len(artifacts(plan)) == 2


async def test_files_of_an_operation_without_a_store_are_refused(plan, run, lake):
    writing(plan, lake, "writes_files", store=None, artifact_name=None)
    await run()

    (((outcome, reason),),) = ends(plan).values()
    assert outcome == "failed"
    assert "AssertionError" in str(reason)


async def test_an_asset_without_a_name_for_its_file_fails_alone(plan, run, lake):
    writing(plan, lake, "writes_files", assets=2, artifact_name="{asset.isin}")
    plan.sql("update headgate.assets set attributes = '{\"isin\": \"DE\"}' where code = 'P1'")
    await run()

    assert {x["asset"] for x in artifacts(plan)} == {"P1"}
    ((outcome, reason),) = ends(plan)["P0"]
    assert outcome == "failed"
    assert "asset.isin" in str(reason)


async def test_a_store_that_cannot_be_written_is_waited_for_and_named(plan, run, lake):
    lake.write_text("no folder")
    writing(plan, lake, "writes_files", max_wait="1 second", backoff="0.1 seconds")
    await run()

    assert status(plan)["status"] != "succeeded"
    (((outcome, reason),),) = ends(plan).values()
    assert outcome == "deferred"
    assert "store lake: " in str(reason)


async def test_a_key_that_is_there_with_other_content_is_left_alone(plan, run, lake):
    writing(plan, lake, "writes_files", max_wait="1 second", backoff="0.1 seconds")
    digest = hashlib.sha256(b"code\nP0\n").hexdigest()[:16]
    (lake / "r1").mkdir(parents=True)
    (lake / "r1" / f"P0-{digest}.csv").write_text("mine")
    await run()

    (((_, reason),),) = ends(plan).values()
    assert "is there with other content, which was left alone" in str(reason)
    assert (lake / "r1" / f"P0-{digest}.csv").read_text() == "mine"
    assert artifacts(plan) == []


KILLED_AFTER_PUT = """
import asyncio, os, signal
from headgate.settings import Settings
from headgate.worker import stores, work

put = stores.put

async def put_and_die(*file):
    await put(*file)
    os.kill(os.getpid(), signal.SIGKILL)

stores.put = put_and_die
asyncio.run(work(Settings.from_env(os.environ), processes=1))
"""


def kill_after_put(settings: Settings, spool: Path) -> None:
    """Run a runner that is killed once its first file is in the store."""
    environ = {
        **os.environ,
        "HEADGATE_DSN": dsn_of(settings),
        "HEADGATE_DATABASE": settings.database,
        "TMPDIR": str(spool),
    }
    killed = subprocess.run(
        [sys.executable, "-c", KILLED_AFTER_PUT], env=environ, timeout=PATIENCE, check=False
    )
    assert killed.returncode == -signal.SIGKILL


async def test_a_runner_killed_behind_the_put_leaves_no_row_and_the_next_no_second_copy(
    plan, run, lake, core_database
):
    writing(plan, lake, "writes_files", lease="2 seconds")
    kill_after_put(core_database, lake.parent / "spool")
    (orphan,) = (x for x in lake.rglob("*") if x.is_file())
    before = orphan.stat().st_mtime_ns
    assert artifacts(plan) == []

    await run()
    assert len(artifacts(plan)) == 2
    assert orphan.stat().st_mtime_ns == before
    assert len([x for x in lake.rglob("*") if x.is_file()]) == 2


async def test_an_orphan_of_a_run_that_was_given_up_goes_after_a_day(
    plan, lake, core_database, connections
):
    writing(plan, lake, "writes_files")
    kill_after_put(core_database, lake.parent / "spool")
    plan.call("cancel_execution", p_pipeline="compute", p_run_id="r1")
    store = Store("lake", f"file://{lake}")
    await clean(store, connections)
    (orphan,) = (x for x in lake.rglob("P0*"))
    os.utime(orphan, (orphan.stat().st_mtime - 90_000,) * 2)

    assert await clean(store, connections) == 1
    assert not orphan.exists()

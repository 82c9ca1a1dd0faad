"""Handlers `copy` and `remove`: artifacts are copied into another store, or removed from theirs."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from headgate.database import dsn_of
from headgate.settings import Settings
from headgate.worker.stores import PART_BYTES
from tests.buckets import KEY_ID, SECRET
from tests.limits import PATIENCE
from tests.plan import Plan
from tests.runner.handlers.compute_plan import ends, start, status, write_plan
from tests.runner.small_plan import insert

READ = """
    create function public.read_files(p_context jsonb, p_asset_ids bigint[])
    returns table (asset_id bigint, to_{verb} bigint[]) language sql stable security definer
    set search_path = pg_catalog, pg_temp as $$
        select p_asset_ids[1], array_agg(a.artifact_id order by a.name)
        from headgate.v_artifacts as a
        where a.store = 'lake' and a.name like 'a/%%'
    $$;
    grant execute on function public.read_files(jsonb, bigint[]) to headgate_runner;
"""
FILES = {"a/1.csv": b"n\n1\n", "a/2.json": b"[]", "b/3.csv": b"n\n3\n"}


def key(name: str, content: bytes) -> str:
    stem, _, suffix = name.partition(".")
    return f"{stem}-{hashlib.sha256(content).hexdigest()[:16]}.{suffix}"


@pytest.fixture
def lake(plan, tmp_path, monkeypatch) -> Path:
    """Return the folder of the store `lake`, with three artifacts; `cloud` is beside it."""
    (tmp_path / "spool").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "spool"))
    for name in ("lake", "cloud"):
        insert(plan, "stores", name=name, url=f"file://{tmp_path}/{name}")
    for name, content in FILES.items():
        place = tmp_path / "lake" / key(name, content)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
        insert(
            plan, "artifacts", store="lake", name=name, key=key(name, content), bytes=len(content), rows=1,
            sha256=hashlib.sha256(content).hexdigest(), media_type="text/csv", created_at="now",
        )  # fmt: skip
    return Path(tmp_path / "lake")


def moving(
    plan: Plan, handler: str, store: str, *, verb: str | None = None, **operation: Any
) -> None:
    plan.sql(READ.format(verb=verb or {"copy": "fetch"}.get(handler, handler)))
    write_plan(
        plan, handler, assets=1,
        **{
            "input_function": "public.read_files", "ingest_function": None, "chunk_size": 1, "store": store,
            "max_attempts": 1, "due_rule": "run", **operation,
        },
    )  # fmt: skip
    start(plan)


def artifacts(plan: Plan, store: str) -> list[dict[str, Any]]:
    return plan.sql(
        "select name, key, sha256, rows, media_type, bytes from headgate.artifacts"
        " where store = %(store)s and deleted_at is null order by name",
        store=store,
    )  # fmt: skip


def files(folder: Path) -> dict[str, bytes]:
    return {str(x.relative_to(folder)): x.read_bytes() for x in folder.rglob("*") if x.is_file()}


async def test_a_copy_has_name_key_hash_and_rows_of_its_original(plan, run, lake):
    moving(plan, "copy", "cloud")
    await run()

    assert artifacts(plan, "cloud") == [
        x for x in artifacts(plan, "lake") if x["name"] != "b/3.csv"
    ]
    copied = {key(name, FILES[name]): FILES[name] for name in ("a/1.csv", "a/2.json")}
    assert files(lake.parent / "cloud") == copied
    assert plan.scalar("select headgate.step_output('compute', 'r1', 'all') -> 'files'") == 2


async def test_copying_twice_changes_nothing(plan, run, lake):
    moving(plan, "copy", "cloud")
    await run()
    before = {x: x.stat().st_mtime_ns for x in (lake.parent / "cloud").rglob("*")}
    rows = plan.sql("select artifact_id from headgate.artifacts order by 1")
    start(plan, "r2")
    await run("r2")

    assert status(plan, "r2")["status"] == "succeeded"
    assert {x: x.stat().st_mtime_ns for x in (lake.parent / "cloud").rglob("*")} == before
    assert plan.sql("select artifact_id from headgate.artifacts order by 1") == rows


async def test_a_store_that_is_gone_is_waited_for_and_named(plan, run, lake):
    (lake.parent / "cloud").write_text("no folder")
    moving(plan, "copy", "cloud", max_wait="1 second", backoff="0.1 seconds")
    await run()

    (((outcome, reason),),) = ends(plan).values()
    assert (outcome, "store cloud: " in str(reason)) == ("deferred", True)
    assert artifacts(plan, "cloud") == []


async def test_an_artifact_that_was_removed_meanwhile_is_named(plan, run, lake):
    plan.sql("update headgate.artifacts set deleted_at = now() where name = 'a/1.csv'")
    moving(plan, "copy", "cloud", max_wait="1 second", backoff="0.1 seconds")
    await run()

    (((_, reason),),) = ends(plan).values()
    assert "is not there, or was removed" in str(reason)


async def test_removed_artifacts_have_no_file_and_are_not_current(plan, run, lake):
    moving(plan, "remove", "lake")
    await run()

    assert [x["name"] for x in artifacts(plan, "lake")] == ["b/3.csv"]
    assert set(files(lake)) == {key("b/3.csv", FILES["b/3.csv"])}
    assert plan.scalar("select headgate.step_output('compute', 'r1', 'all') -> 'files'") == 2
    assert plan.sql("select from headgate.removed_keys") == []


async def test_removing_twice_changes_nothing(plan, run, lake):
    moving(plan, "remove", "lake")
    await run()
    before = plan.sql("select * from headgate.artifacts order by artifact_id")
    start(plan, "r2")
    await run("r2")

    assert status(plan, "r2")["status"] == "succeeded"
    assert plan.sql("select * from headgate.artifacts order by artifact_id") == before


async def test_a_key_that_another_artifact_has_stays(plan, run, lake):
    plan.sql(
        "insert into headgate.artifacts (store, name, key, sha256, bytes, media_type, created_at)"
        " select store, 'b/same.csv', key, sha256, bytes, media_type, created_at"
        " from headgate.artifacts where name = 'a/1.csv'"
    )
    moving(plan, "remove", "lake")
    await run()

    assert key("a/1.csv", FILES["a/1.csv"]) in files(lake)
    assert [x["name"] for x in artifacts(plan, "lake")] == ["b/3.csv", "b/same.csv"]


async def test_artifacts_of_another_store_stay(plan, run, lake):
    moving(plan, "remove", "cloud")
    await run()

    assert len(artifacts(plan, "lake")) == len(files(lake)) == 3


@pytest.mark.parametrize(
    ("handler", "verb", "store", "said"),
    [
        ("copy", "remove", "cloud", "copy needs an input function with asset_id and to_fetch bigint[]"),
        ("remove", "fetch", "lake", "remove needs an input function with asset_id and to_remove bigint[]"),
        ("copy", "fetch", None, "files are fetched into a folder: give the operation a store or a stage"),
        ("remove", "remove", None, "the handler removes artifacts, but its operation has no store"),
    ],
)  # fmt: skip
async def test_a_missing_declaration_is_named(plan, run, lake, handler, verb, store, said):
    moving(plan, handler, store, verb=verb)
    await run()

    (((outcome, reason),),) = ends(plan).values()
    assert (outcome, said in str(reason)) == ("deferred", True), reason
    assert len(files(lake)) == 3


KILLED = """
import asyncio, os, pathlib, signal
from headgate.settings import Settings
from headgate.worker import stores, work

async def die(*_):
    {before}
    os.kill(os.getpid(), signal.SIGKILL)

done = stores.{function}
stores.{function} = die
asyncio.run(work(Settings.from_env(os.environ), processes=1))
"""
"""A runner that is killed right after it has begun the removal."""

PARTLY = """putting = asyncio.create_task(done(*_))
    while not list(pathlib.Path("{uploads}").glob("*/0*")):
        await asyncio.sleep(0)"""
"""Begin to put a file, until the server has a part of it."""


@pytest.fixture
def kill(core_database: Settings, lake: Path) -> Callable[..., None]:
    def run_and_kill(function: str, before: str = "pass") -> None:
        environ = {
            **os.environ,
            "HEADGATE_DSN": dsn_of(core_database),
            "HEADGATE_DATABASE": core_database.database,
            "TMPDIR": str(lake.parent / "spool"),
        }
        code = KILLED.format(function=function, before=before)
        killed = subprocess.run(
            [sys.executable, "-c", code], env=environ, timeout=PATIENCE, check=False
        )
        assert killed.returncode == -signal.SIGKILL

    return run_and_kill


async def test_a_runner_killed_while_it_copies_leaves_no_second_copy(plan, run, lake, kill):
    moving(plan, "copy", "cloud", lease="2 seconds")
    kill("put", "await done(*_)")
    assert artifacts(plan, "cloud") == []
    await run()

    assert len(artifacts(plan, "cloud")) == 2
    assert len(files(lake.parent / "cloud")) == 2


async def test_a_runner_killed_between_two_parts_of_a_file_leaves_no_key_and_the_next_puts_it_whole(
    plan, run, lake, kill, s3
):
    content = os.urandom(3 * PART_BYTES)
    (lake / key("a/1.csv", FILES["a/1.csv"])).write_bytes(content)
    sha256 = hashlib.sha256(content).hexdigest()
    plan.sql(
        "update headgate.artifacts set sha256 = %(sha)s where name = 'a/1.csv'",
        sha=sha256,
    )
    bucket = s3.bucket()
    plan.call(
        "set_store", p_store="cloud", p_url=f"s3://{bucket}", p_endpoint=s3.address, p_key_id_name=KEY_ID,
        p_secret_name=SECRET,
    )  # fmt: skip
    moving(plan, "copy", "cloud", lease="2 seconds")
    kill("put", PARTLY.format(uploads=s3.folder / ".localbucket-uploads"))
    assert files(s3.folder / bucket) == {}
    await run()

    assert status(plan)["status"] == "succeeded"
    assert files(s3.folder / bucket)[f"a/1-{sha256[:16]}.csv"] == content
    assert len(artifacts(plan, "cloud")) == 2


async def test_a_runner_killed_while_it_removes_leaves_nothing_behind(plan, run, lake, kill):
    moving(plan, "remove", "lake", lease="2 seconds")
    kill("delete")
    assert len(files(lake)) == 3
    await run()

    assert len(files(lake)) == 1
    assert plan.sql("select from headgate.removed_keys") == []

"""Stores are cleaned: old orphans and expired artifacts are removed, all else stays."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

import pytest

from headgate.worker import cleaning
from headgate.worker.chunks import Store
from headgate.worker.cleaning import clean, keep_clean
from tests.limits import until
from tests.runner.small_plan import insert

DAY = 86_400
HASH = "-0123456789abcdef"
ORPHAN, HALF, BEGINNING = f"a/orphan{HASH}.csv", f"half{HASH}#1", f"beginning{HASH}.csv#1"
FOREIGN = {"notes.txt", "a/draft-2024.txt", "a/page#1", f"a{HASH}/b.csv"}
"""Files of somebody else in the same folder."""


@pytest.fixture
def lake(core_plan, tmp_path) -> Path:
    """Fill a store with artifacts, one of them expired, with keys without one, and foreign files."""
    folder = tmp_path / "lake"
    (folder / "a").mkdir(parents=True)
    (folder / f"a{HASH}").mkdir()
    insert(core_plan, "stores", name="lake", url=f"file://{folder}")
    for name, age in {
        "a/kept": 3, "a/expired": 0, ORPHAN: 1.01, f"fresh{HASH}": 0.5, HALF: 2, BEGINNING: 0,
        **dict.fromkeys(FOREIGN, 400),
    }.items():  # fmt: skip
        (folder / name).write_text(name)
        then = time.time() - age * DAY
        os.utime(folder / name, (then, then))
    core_plan.sql(
        "insert into headgate.artifacts (store, name, key, sha256, bytes, media_type, created_at, expires_at)"
        " select 'lake', k, k, repeat('0', 64), 1, 'text/plain', headgate.clock(),"
        " case k when 'a/expired' then headgate.clock() end from unnest('{a/kept,a/expired}'::text[]) as k"
    )
    return Path(folder)


def left(folder: Path) -> set[str]:
    return {str(x.relative_to(folder)) for x in folder.rglob("*") if x.is_file()}


async def test_orphans_of_a_day_and_what_has_expired_go_and_files_of_others_stay(
    connections, core_plan, lake
):
    assert await clean(Store("lake", f"file://{lake}"), connections) == 2

    assert left(lake) == {"a/kept", f"fresh{HASH}", BEGINNING, ".headgate-clock"} | FOREIGN
    assert core_plan.sql("select from headgate.removed_keys") == []
    assert core_plan.sql("select store, files from headgate.v_stores") == [
        {"store": "lake", "files": 1}
    ]


async def test_cleaning_again_changes_nothing(connections, lake):
    await clean(Store("lake", f"file://{lake}"), connections)
    before = left(lake)

    assert await clean(Store("lake", f"file://{lake}"), connections) == 0
    assert left(lake) == before


async def test_a_runner_cleans_what_it_is_time_for(connections, core_plan, lake, monkeypatch):
    monkeypatch.setattr(cleaning, "LOOK_SECONDS", 0.01)
    keeping = asyncio.create_task(keep_clean(connections))
    await until(lambda: ORPHAN not in left(lake))
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)

    assert core_plan.scalar("select cleaned_at is not null from headgate.v_stores")


async def test_a_store_that_is_gone_is_reported_and_ends_no_runner(
    connections, core_plan, lake, monkeypatch, caplog
):
    monkeypatch.setattr(cleaning, "LOOK_SECONDS", 0.01)
    core_plan.sql("update headgate.stores set url = 'file:///proc/none'")
    keeping = asyncio.create_task(keep_clean(connections))
    await until(lambda: "stores are not cleaned: store lake: " in caplog.text)

    assert not keeping.done()
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)

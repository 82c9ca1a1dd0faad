"""Files from a handler's folder to a store: each is put, or its job waits."""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from headgate.handlers import Done, Job, Spooled
from headgate.worker import artifacts
from headgate.worker.artifacts import put_files, remove_left_over, spool_of
from headgate.worker.chunks import Handling, Store

ROW: dict[str, Any] = {
    "context": {}, "codes": ["A"], "watermarks": [None], "timeout_seconds": 1, "max_memory": 1, "environment": [],
    "options": {},
}  # fmt: skip


@pytest.fixture
def store(tmp_path) -> Store:
    return Store("lake", f"file://{tmp_path}/lake")


@pytest.fixture
def folder(tmp_path) -> Path:
    (tmp_path / "spool").mkdir()
    return Path(tmp_path / "spool")


def spooled(folder: Path, asset_id: int, content: bytes) -> Spooled:
    digest = hashlib.sha256(content).hexdigest()
    (folder / digest).write_bytes(content)
    return Spooled(asset_id, f"{asset_id}.txt", digest, digest, len(content), None, "text/plain")


def test_a_chunk_without_a_store_has_no_folder():
    with spool_of(Handling.from_row(ROW)) as folder:
        assert folder is None


def test_a_chunk_s_folder_is_gone_after_it(store):
    with spool_of(replace(Handling.from_row(ROW), store=store)) as folder:
        assert folder is not None and folder.is_dir()
    assert not folder.exists()


async def test_a_file_that_cannot_be_put_holds_its_own_job_up(store, folder):
    first, second = spooled(folder, 1, b"a"), spooled(folder, 2, b"b")
    (folder / first.file).unlink()
    rows, failed = await put_files(store, folder, Done([], files=[first, second]))

    assert [x["asset_id"] for x in rows] == [2]
    assert (failed[1].outcome, failed[1].fault) == ("retry", "internal")


async def test_a_runner_without_the_library_says_what_it_lacks(store, folder, monkeypatch):
    monkeypatch.setattr(artifacts, "find_spec", lambda name: None)
    rows, failed = await put_files(store, folder, Done([], files=[spooled(folder, 1, b"a")]))

    assert rows == []
    assert failed == {
        1: Job(
            1, "deferred", "the runner lacks obstore, which stores need: install headgate[files]"
        )
    }


def test_folders_of_killed_runners_are_removed_after_a_day(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    for name, age in {
        "headgate-files-old": 90_000,
        "headgate-files-new": 80_000,
        "other": 90_000,
    }.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").touch()
        then = time.time() - age
        os.utime(tmp_path / name, (then, then))
    remove_left_over()

    assert sorted(x.name for x in tmp_path.iterdir()) == ["headgate-files-new", "other"]

"""Moves files between stores and the folders of handlers, and removes artifacts."""

from __future__ import annotations

import contextlib
import logging
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from headgate.errors import HeadgateError, WrongPlan
from headgate.handlers import Done, Input, Job, Spooled
from headgate.worker.chunks import Artifact, Handling, Store
from headgate.worker.connection_pool import ConnectionPool

logger = logging.getLogger(__name__)

PREFIX: Final = "headgate-files-"
LEFT_SECONDS: Final = 86_400
FETCH: Final = "to_fetch"
"""Column of an input that names the artifacts to fetch for the handler."""
BIGINTS: Final = 1016
HEAD: Final = 20
LENGTH: Final = 4
ELEMENT: Final = LENGTH + 8
"""Byte counts in a binary array: its head, an element's length field, and field plus element."""
NO_OBSTORE: Final = "the runner lacks obstore, which stores need: install headgate[files]"


@contextmanager
def spool_of(handling: Handling) -> Iterator[Path | None]:
    """Yield a temporary folder for a handler's files and pipes; None if it has neither."""
    if not handling.has_folder:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix=PREFIX, ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def remove_left_over() -> None:
    """Remove folders of killed runners that have not changed for a day."""
    before = time.time() - LEFT_SECONDS
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):
            if folder.stat().st_mtime < before:
                shutil.rmtree(folder)


def wanted_artifacts(given: Input) -> dict[int, list[int]]:
    """Return the artifact ids in the input's column `to_fetch`, by asset."""
    places = [n for n, (name, _) in enumerate(given.columns) if name == FETCH]
    if not places:
        return {}
    if given.columns[places[0]][1] != BIGINTS:
        raise WrongPlan(f"the input function's column {FETCH} is not bigint[]")
    return {int.from_bytes(row[0] or b""): _numbers(row[places[0]] or b"") for row in given.cells}


def _numbers(cell: bytes) -> list[int]:
    if any(cell[4:8]):
        raise WrongPlan(f"the input function's column {FETCH} has nulls in its arrays")
    return [int.from_bytes(cell[x + LENGTH : x + ELEMENT]) for x in range(HEAD, len(cell), ELEMENT)]


async def fetch_files(
    wanted: Mapping[int, Sequence[int]], folder: Path | None, connections: ConnectionPool
) -> tuple[list[Spooled], dict[int, Job]]:
    """Fetch artifacts into the folder; return the files, and the jobs whose fetch failed."""
    numbers = sorted({x for ids in wanted.values() for x in ids})
    if not numbers:
        return [], {}
    if folder is None:
        lacking = "files are fetched into a folder: give the operation a store or a stage"
        return [], {x: Job(x, "deferred", lacking) for x in wanted}
    if find_spec("obstore") is None:
        return [], {x: Job(x, "deferred", NO_OBSTORE) for x in wanted}
    found = await connections.run(lambda queue: queue.find_artifacts(numbers))
    files: list[Spooled] = []
    failed: dict[int, Job] = {}
    for asset_id, ids in wanted.items():
        try:
            files += [await _fetched(asset_id, x, found.get(x), folder) for x in ids]
        except HeadgateError as exc:
            failed[asset_id] = Job(asset_id, "retry", str(exc), is_ours=True)
    return files, failed


async def _fetched(asset_id: int, number: int, artifact: Artifact | None, folder: Path) -> Spooled:
    from headgate.worker.stores import get

    if artifact is None:
        raise HeadgateError(f"artifact {number} is not there, or was removed")
    file = f"fetched-{asset_id}-{number}"
    await get(artifact.store, artifact.key, folder / file, artifact.sha256)
    return Spooled(
        asset_id=asset_id,
        name=artifact.name,
        file=file,
        sha256=artifact.sha256,
        bytes=artifact.bytes,
        rows=artifact.rows,
        media_type=artifact.media_type,
    )


async def put_files(
    store: Store | None, folder: Path | None, done: Done
) -> tuple[list[dict[str, Any]], dict[int, Job]]:
    """Put a handler's files into the store; return artifact rows, and failed jobs by asset."""
    rows: list[dict[str, Any]] = []
    failed: dict[int, Job] = {}
    if not done.files or store is None or folder is None:
        return rows, failed
    if find_spec("obstore") is None:
        return rows, {x.asset_id: Job(x.asset_id, "deferred", NO_OBSTORE) for x in done.files}
    from headgate.worker.stores import key_of, put

    for file in done.files:
        if file.asset_id in failed:
            continue
        key = key_of(file.name, file.sha256)
        try:
            await put(store, key, folder / file.file, file.sha256)
        except HeadgateError as exc:
            logger.warning("%s", exc)
            failed[file.asset_id] = Job(file.asset_id, "retry", str(exc), is_ours=True)
            continue
        rows.append(
            {
                "asset_id": file.asset_id,
                "name": file.name,
                "key": key,
                "sha256": file.sha256,
                "bytes": file.bytes,
                "rows": file.rows,
                "media_type": file.media_type,
            }
        )
    return rows, failed


async def remove_files(store: Store | None, done: Done, connections: ConnectionPool) -> list[Job]:
    """Remove the artifacts that a handler released; return the jobs, to be retried on failure."""
    if not done.removed:
        return done.jobs
    if store is None:
        lacking = "the handler removes artifacts, but its operation has no store"
        return [Job(x.asset_id, "deferred", lacking) for x in done.jobs]
    if find_spec("obstore") is None:
        return [Job(x.asset_id, "deferred", NO_OBSTORE) for x in done.jobs]
    try:
        keys = await connections.run(lambda queue: queue.expire_artifacts(store.name, done.removed))
        await remove_keys(store, keys, connections)
    except HeadgateError as exc:
        logger.warning("%s", exc)
        return [Job(x.asset_id, "retry", str(exc), is_ours=True) for x in done.jobs]
    return done.jobs


async def remove_keys(store: Store, keys: Sequence[str], connections: ConnectionPool) -> int:
    """Remove the keys that no artifact has, and expired ones; return their number."""
    from headgate.worker import stores

    gone = await connections.run(lambda queue: queue.remove_keys(store.name, keys))
    if gone:
        await stores.delete(store, gone)
        await connections.run(lambda queue: queue.forget_keys(store.name, gone))
    return len(gone)

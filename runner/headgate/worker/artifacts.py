"""Puts the files in a handler's folder into a store before their jobs complete."""

from __future__ import annotations

import contextlib
import logging
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from headgate.errors import HeadgateError
from headgate.handlers import Done, Job
from headgate.worker.chunks import Handling, Store

logger = logging.getLogger(__name__)

PREFIX: Final = "headgate-files-"
LEFT_SECONDS: Final = 86_400


@contextmanager
def spool_of(handling: Handling) -> Iterator[Path | None]:
    """Yield a temporary folder for a handler's files or input stream; None if it has neither."""
    if handling.store is None and handling.input_format is None:
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


async def put_files(
    store: Store | None, folder: Path | None, done: Done
) -> tuple[list[dict[str, Any]], dict[int, Job]]:
    """Put a handler's files into the store; return artifact rows, and failed jobs by asset."""
    rows: list[dict[str, Any]] = []
    failed: dict[int, Job] = {}
    if not done.files or store is None or folder is None:
        return rows, failed
    if find_spec("obstore") is None:
        lacking = "the runner lacks obstore, which stores need: install headgate[files]"
        return rows, {x.asset_id: Job(x.asset_id, "deferred", lacking) for x in done.files}
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

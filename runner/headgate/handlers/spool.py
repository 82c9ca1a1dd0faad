"""Writes a handler's files into the task's folder, from which the runner puts them into a store.

This runs in the process that computes; only names, lengths and hashes are sent to the runner, which
deletes the folder afterwards.
"""

from __future__ import annotations

import hashlib
import mimetypes
import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from headgate.files import refuse_full_disk
from headgate.handlers.contract import Chunk, File
from headgate.handlers.pool_messages import Spooled
from headgate.handlers.rows import WrongResult

NO_NAME: Final = re.compile(r"^/|/$|//|(^|/)\.{1,2}(/|$)|[\x00-\x1f\x7f\\]")
LONGEST_NAME: Final = 800
MEDIA_TYPES: Final = {
    ".parquet": "application/vnd.apache.parquet",
    ".ndjson": "application/x-ndjson",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


def spool(chunk: Chunk, given: Any) -> list[Spooled]:
    """Put a handler's files into the chunk's folder. Raises WrongResult, DiskFull."""
    if not given:
        return []
    if chunk.folder is None:
        raise WrongResult("the handler returned files, but its operation has no store")
    if not isinstance(given, Mapping) or not all(isinstance(x, Mapping) for x in given.values()):
        raise WrongResult("the handler's files are not File objects by asset and name")
    if others := set(given) - set(chunk.asset_ids.tolist()):
        raise WrongResult(f"the handler has files of no asset of the chunk: {sorted(others)[:5]}")
    try:
        return [
            _spooled(chunk.folder, int(asset_id), name, file)
            for asset_id, files in given.items()
            for name, file in files.items()
        ]
    except OSError as exc:
        refuse_full_disk(exc)
        raise WrongResult(f"a file of the handler cannot be read: {exc}") from exc


def _spooled(folder: Path, asset_id: int, name: str, given: Any) -> Spooled:
    if not isinstance(name, str) or NO_NAME.search(name) or not 0 < len(name) <= LONGEST_NAME:
        raise WrongResult(f"{name!r} is not a file name: a path without . and .. as parts")
    file = given if isinstance(given, File) else File(given)
    path = _path_of(folder, file.content)
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256")
    return Spooled(
        asset_id=asset_id,
        name=name,
        file=path.name,
        sha256=digest.hexdigest(),
        bytes=path.stat().st_size,
        rows=file.rows,
        media_type=file.media_type or _media_type(name),
    )


def _path_of(folder: Path, content: bytes | str | os.PathLike[str]) -> Path:
    """Return the file's path in the folder; a file that is already there is not copied."""
    if isinstance(content, str | os.PathLike) and Path(content).parent == folder:
        return Path(content)
    descriptor, place = tempfile.mkstemp(dir=folder)
    with open(descriptor, "wb") as target:
        if isinstance(content, bytes | bytearray | memoryview):
            target.write(content)
        elif isinstance(content, str | os.PathLike):
            with open(content, "rb") as source:
                shutil.copyfileobj(source, target)
        else:
            raise WrongResult(f"a file's content is {type(content).__name__}, no bytes or path")
    return Path(place)


def _media_type(name: str) -> str:
    suffix = os.path.splitext(name)[1]
    return MEDIA_TYPES.get(suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream"

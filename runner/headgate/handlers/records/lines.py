"""Reads the records of a JSON file in blocks of lines, one object per line.

The file holds JSON lines or one array of objects, compressed by gzip or not; its first bytes
decide.
"""

from __future__ import annotations

import codecs
import gzip
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final, cast

from headgate.errors import InvalidValue
from headgate.handlers.document import GZIP

BLOCK_BYTES: Final = 4 * 1024 * 1024
LONGEST_MB: Final = 16
LONGEST_RECORD: Final = LONGEST_MB * 1024 * 1024
NO_OBJECT: Final = re.compile(rb"^[ \t\r]*+[^{ \t\r\n]", re.MULTILINE)
SPACE: Final = re.compile(r"[ \t\r\n]*")


def blocks(path: Path) -> Iterator[bytes]:
    """Yield blocks of whole lines. Raises InvalidValue for anything but an object."""
    with _opened(path) as file:
        start = file.read(BLOCK_BYTES).removeprefix(codecs.BOM_UTF8).lstrip()
        if start.startswith(b"["):
            yield from _array(start, file)
        else:
            yield from _lines(start, file)


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    with path.open("rb") as raw:
        is_packed = raw.peek(len(GZIP)).startswith(GZIP)
        try:
            yield cast(BinaryIO, gzip.GzipFile(fileobj=raw)) if is_packed else raw
        except (EOFError, gzip.BadGzipFile) as exc:
            raise InvalidValue(f"the file is not a complete gzip file: {exc}") from exc


def _lines(rest: bytes, file: BinaryIO) -> Iterator[bytes]:
    while more := file.read(max(BLOCK_BYTES, len(rest))):
        end = rest.rfind(b"\n") + 1
        if end:
            yield _objects(rest[:end])
        rest = rest[end:] + more
        if len(rest) - rest.rfind(b"\n") > LONGEST_RECORD:
            raise InvalidValue(f"a record is longer than {LONGEST_MB} MB")
    if rest.strip():
        yield _objects(rest if rest.endswith(b"\n") else rest + b"\n")


def _objects(block: bytes) -> bytes:
    if (found := NO_OBJECT.search(block)) is not None:
        line = block[found.start() : found.start() + 80].partition(b"\n")[0]
        raise InvalidValue(f"a line is not a JSON object: {line.decode(errors='replace')}")
    return block


def _array(start: bytes, file: BinaryIO) -> Iterator[bytes]:
    """Yield the elements of an array, one per line."""
    decode = codecs.getincrementaldecoder("utf-8")().decode
    scan = json.JSONDecoder().raw_decode
    text, at, lines, is_whole = decode(start), 1, list[str](), False
    while True:
        place = _after_space(text, at)
        try:
            if text[place : place + 1] == "]":
                break
            if text[place : place + 1] != "{":
                raise json.JSONDecodeError("no object", text, place)
            end = _after_space(text, scan(text, place)[1])
            if text[end : end + 1] not in ("]", ","):
                raise json.JSONDecodeError("no comma after an object", text, end)
        except json.JSONDecodeError as exc:
            more = b"" if is_whole else file.read(max(BLOCK_BYTES, len(text) - at))
            is_whole = not more
            if is_whole or len(text) - at > LONGEST_RECORD:
                longer = "" if is_whole else f", or a record of it longer than {LONGEST_MB} MB"
                raise InvalidValue(f"the array is not JSON{longer}: {_near(text, exc)}") from None
            if lines:
                yield "".join(lines).encode()
            text, at, lines = text[at:] + decode(more), 0, []
        else:
            lines.append(text[place:end].replace("\n", " ") + "\n")
            at = end + (text[end] == ",")
    if lines:
        yield "".join(lines).encode()


def _after_space(text: str, at: int) -> int:
    found = SPACE.match(text, at)
    assert found is not None
    return found.end()


def _near(text: str, exc: json.JSONDecodeError) -> str:
    return f"{exc.msg} at {text[exc.pos : exc.pos + 40]!r}"

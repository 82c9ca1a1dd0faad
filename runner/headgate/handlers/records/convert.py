"""Convert files of JSON records to other formats: the handler `convert_formats`.

The files hold lines or one array, compressed or not. The input function names the artifacts to read
in its column `to_fetch`; their records go into one file for each format. Its name is the
`artifact_name` followed by the format. Memory use is constant. `handler_options`:

- `formats`: the formats to write, such as ["parquet", "csv.gz", "xlsx", "json", "ndjson.gz"]
- `types`: types of columns that JSON cannot express, as in {"at": "timestamptz"}
- `max_rows`, `max_bytes`, `formulas`: as for `export`
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from headgate.errors import WrongPlan
from headgate.handlers.artifacts import require_column
from headgate.handlers.contract import Chunk, File, Result
from headgate.handlers.export.handler import (
    LINES,
    WRITERS,
    Parts,
    bytes_of,
    check_options,
    format_of,
)
from headgate.handlers.export.lines import Lines
from headgate.handlers.records.tables import Records, flat, told_types

FLAT: Final = ("csv", "xlsx")
OPTIONS: Final = {"formats", "types", "max_rows", "max_bytes", "formulas"}


def convert(chunk: Chunk) -> Result:
    """Write each asset's records in each format; its output counts records and files."""
    check_options("convert_formats", chunk.options, OPTIONS)
    formats = chunk.options.get("formats")
    if not isinstance(formats, list) or not formats:
        raise WrongPlan('convert_formats needs the option formats, such as ["parquet"]')
    types = told_types(chunk.options.get("types") or {})
    files, output = {}, {}
    for asset_id, sources, name in sources_of("convert_formats", chunk):
        records = Records(sources, types)
        written = Files("convert_formats", name, chunk, records.schema)
        for block, batch in records.blocks():
            written.write(batch, block)
        files[asset_id] = written.close()
        output[asset_id] = {
            "records": records.count,
            "columns": len(records.schema),
            "files": len(files[asset_id]),
            "bytes": bytes_of(files[asset_id]),
        }
    return Result(files=files, output=output)


def sources_of(handler: str, chunk: Chunk) -> Iterable[tuple[int, list[Path], str]]:
    """Yield each asset's id, the files it reads, and the name of the files it writes."""
    for asset_id, name in zip(chunk.asset_ids.tolist(), chunk.names or [None], strict=True):
        if name is None:
            raise WrongPlan(f"{handler} needs a store and an artifact_name")
        require_column(chunk, handler, "to_fetch")
        files = chunk.files.get(asset_id, {}).values()
        yield asset_id, [Path(str(file.content)) for file in files], name


class Files:
    """The same rows in several formats, written side by side."""

    def __init__(self, handler: str, name: str, chunk: Chunk, schema: Any) -> None:
        assert chunk.folder is not None
        self._formats: dict[str, tuple[str, Parts]] = {}
        empty = pa.RecordBatch.from_pylist([], schema=schema)
        for ending in chunk.options.get("formats") or []:
            whole = f"{name}.{ending}"
            form = format_of(whole)
            if form is None or "/" in ending or ending in self._formats:
                known = ", ".join(WRITERS)
                raise WrongPlan(f"{handler} writes {known}, each once, not {ending!r}")
            parts = Parts(whole, form, chunk.folder, chunk.options)
            parts.columns = flat(empty).schema if form in FLAT else schema
            parts.begin()
            self._formats[ending] = form, parts

    def write(self, batch: Any, block: bytes | None = None) -> None:
        """Write a batch; JSON files get the lines of `block` unchanged, if it is given."""
        for form, parts in self._formats.values():
            if form in LINES:
                parts.write(_lines_of(batch) if block is None else _without_empty(block))
            else:
                parts.write(flat(batch) if form in FLAT else batch)

    def close(self) -> dict[str, File]:
        """Close all files and return them by name."""
        files: dict[str, File] = {}
        for _, parts in self._formats.values():
            parts.close()
            files |= parts.files
        return files


def _without_empty(block: bytes) -> Lines:
    return Lines(b"".join(x + b"\n" for x in block.split(b"\n") if x.strip()))


def _lines_of(batch: Any) -> Lines:
    rows = (json.dumps(x, ensure_ascii=False, default=_plain) for x in batch.to_pylist())
    return Lines("".join(f"{x}\n" for x in rows).encode())


def _plain(value: Any) -> str:
    """Return a time in ISO 8601, or a decimal with all of its digits."""
    return str(value.isoformat()) if hasattr(value, "isoformat") else str(value)

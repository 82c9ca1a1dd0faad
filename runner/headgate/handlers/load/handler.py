"""Load the artifacts that an operation's input names into its stage: the handler `load`.

The ending of an artifact's name sets the format. Columns are matched by name and converted to the
stage's types; other columns of a file are ignored. The operation's ingest function merges the
staged rows.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Mapping
from gzip import BadGzipFile
from typing import Any, Final

from headgate.errors import InvalidValue, WrongPlan
from headgate.handlers.contract import Chunk, File, Result
from headgate.handlers.load.tables import read_csv, read_ndjson, read_parquet
from headgate.handlers.stages import open_stage

READERS: Final[Mapping[str, Callable[..., Iterator[Any]]]] = {
    ".parquet": read_parquet,
    ".csv": read_csv,
    ".csv.gz": read_csv,
    ".ndjson": read_ndjson,
    ".ndjson.gz": read_ndjson,
}


def load(chunk: Chunk) -> Result:
    """Stage the rows of the asset's files; its output has the numbers of files and rows."""
    asset_id = int(chunk.asset_ids[0])
    files = chunk.files.get(asset_id, {})
    if not files:
        return Result(skipped={asset_id: "there is no file to load"})
    with open_stage(chunk) as stage:
        for name, file in files.items():
            try:
                for batch in _read(name, file, stage.columns):
                    stage.write(batch)
            except (InvalidValue, EOFError, BadGzipFile, zlib.error) as exc:
                raise InvalidValue(f"{name}: {exc}") from exc
    figures = {"files": len(files), "rows": stage.rows}
    return Result(staged={asset_id: stage.rows}, output={asset_id: figures})


def _read(name: str, file: File, columns: Mapping[str, Any]) -> Iterator[Any]:
    for suffix, read in READERS.items():
        if name.endswith(suffix):
            return read(str(file.content), columns, is_packed=name.endswith(".gz"))
    raise WrongPlan(f"load does not read {name!r}: its name ends in {', '.join(READERS)}")

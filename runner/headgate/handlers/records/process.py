"""Clean files of JSON records and report figures about them: the handler `process_data`.

Nested objects become columns with dots in their names. Texts are trimmed, and empty texts become
null. Of the records with the same key the last one is kept, and records without a key are dropped.
The kept records go into files, into the operation's stage, or both, in constant memory.
`handler_options`:

- `key`: the columns that identify a record, as in ["id"]
- `columns`: columns to keep, by their new names, as in {"id": "id", "city": "address.city"};
  default: all
- `formats`, `types`, `max_rows`, `max_bytes`, `formulas`: as for `convert_formats`
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from headgate.handlers.contract import Chunk, File, Result
from headgate.handlers.export.handler import check_options
from headgate.handlers.records import convert
from headgate.handlers.records.convert import Files, sources_of
from headgate.handlers.records.keys import Keys
from headgate.handlers.records.tables import Records, flat, told_types
from headgate.handlers.stages import open_stage

OPTIONS: Final = convert.OPTIONS | {"key", "columns"}


def process(chunk: Chunk) -> Result:
    """Process the files of each asset; its output has figures about records and columns."""
    check_options("process_data", chunk.options, OPTIONS)
    files: dict[int, dict[str, File]] = {}
    output: dict[int, Any] = {}
    staged: dict[int, int] = {}
    for asset_id, sources, name in sources_of("process_data", chunk):
        with ExitStack() as opened:
            stage = opened.enter_context(open_stage(chunk)) if chunk.stage is not None else None
            cleaned = Cleaned(chunk, sources, opened)
            written = Files("process_data", name, chunk, cleaned.schema)
            for batch in cleaned.batches():
                written.write(batch)
                if stage is not None:
                    stage.write(batch)
        files[asset_id] = written.close()
        output[asset_id] = cleaned.figures()
        if stage is not None:
            staged[asset_id] = stage.rows
    return Result(files=files, output=output, staged=staged)


class Cleaned:
    """The cleaned records, without duplicates."""

    def __init__(self, chunk: Chunk, sources: list[Path], opened: ExitStack) -> None:
        assert chunk.folder is not None
        self._wanted: Mapping[str, str] | None = chunk.options.get("columns")
        key = chunk.options.get("key")
        self._keys = Keys(chunk.folder, key, opened) if key else None
        types = told_types(chunk.options.get("types") or {})
        self._records = Records(sources, types, self._note_keys)
        self.schema = self._clean(
            pa.RecordBatch.from_pylist([], schema=self._records.schema)
        ).schema
        self._rows = 0
        self._nulls: Counter[str] = Counter()

    def batches(self) -> Iterator[Any]:
        """Yield the kept records and count them."""
        for batch in self._kept(self._clean(batch) for _, batch in self._records.blocks()):
            self._rows += len(batch)
            self._nulls.update({name: batch.column(name).null_count for name in batch.schema.names})
            yield batch

    def figures(self) -> dict[str, Any]:
        """Return the numbers of records read, kept and dropped, and figures about the columns."""
        records = self._records.count
        without_key = 0 if self._keys is None else self._keys.missing
        return {
            "records": records,
            "rows": self._rows,
            "duplicates": records - without_key - self._rows,
            "without_key": without_key,
            "columns": len(self.schema),
            "nulls": {name: count for name, count in self._nulls.items() if count},
            "types": {field.name: str(field.type) for field in self.schema},
        }

    def _note_keys(self, batch: Any) -> None:
        if self._keys is not None:
            self._keys.add(self._clean(batch))

    def _kept(self, batches: Iterator[Any]) -> Iterator[Any]:
        if self._keys is None:
            yield from batches
            return
        last = self._keys.last()
        for batch in batches:
            yield batch.filter(pa.array(last(len(batch))))

    def _clean(self, batch: Any) -> Any:
        """Return the wanted columns, trimmed, with null instead of empty texts."""
        batch = flat(batch)
        names = self._wanted or {name: name for name in batch.schema.names}
        columns = [_column(batch, name) for name in names.values()]
        return pa.RecordBatch.from_arrays([_trimmed(x) for x in columns], list(names))


def _column(batch: Any, name: str) -> Any:
    """Return a column of a batch; nulls if no record of the batch has it."""
    if name in batch.schema.names:
        return batch.column(name)
    return pa.nulls(len(batch), pa.string())


def _trimmed(column: Any) -> Any:
    if not pa.types.is_string(column.type):
        return column
    trimmed = pc.utf8_trim_whitespace(column)
    return pc.if_else(pc.equal(trimmed, ""), pa.scalar(None, pa.string()), trimmed)

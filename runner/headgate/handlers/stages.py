"""Writes a handler's rows to the pipe of its operation's stage, which `worker.loading` copies.

Rows are Arrow batches with the stage's columns, encoded here in the binary format of COPY. Each
piece in the pipe is its length followed by whole rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, BinaryIO, Final

import pyarrow as pa
from pgpq import ArrowToPostgresBinaryEncoder
from pgpq.encoders import StringEncoderBuilder
from pgpq.schema import Jsonb

from headgate.errors import InvalidValue, WrongPlan
from headgate.handlers.arrow_types import ANY_NUMERIC, NUMERIC, TYPES
from headgate.handlers.contract import Chunk
from headgate.handlers.pool_messages import PIECE_LENGTH, Target

PIECE_BYTES: Final = 2 * 1024 * 1024
END: Final = b"\xff\xff"
"""The end marker of COPY, which the runner writes."""
JSONB: Final = 3802
STAGE_TYPES: Final[Mapping[int, Any]] = {
    **TYPES,
    **dict.fromkeys((25, 114, 1042, 1043, JSONB), pa.string()),
    17: pa.binary(),
    NUMERIC: ANY_NUMERIC,
}
"""Arrow types by the OIDs of the stage's column types."""


class Stage:
    """A stage that takes batches and counts their rows."""

    def __init__(self, target: Target, asset_id: int, stream: BinaryIO) -> None:
        self.rows = 0
        self.columns = {name: _type(name, shown, oid) for name, shown, oid in target.columns}
        self._oids = {name: oid for name, _, oid in target.columns}
        self._token = (*target.token, asset_id)
        self._stream = stream
        self._encoder: Any = None
        self._schema: Any = None

    def write(self, batch: Any) -> None:
        """Add rows, matching columns by name. Raises InvalidValue if a column does not fit."""
        if lacking := [x for x in self.columns if x not in batch.schema.names]:
            raise InvalidValue(f"the rows lack the stage's columns {', '.join(lacking)}")
        columns = [_fit(batch.column(name), name, kind) for name, kind in self.columns.items()]
        if not len(batch):
            return
        tokens = [
            pa.repeat(pa.scalar(x, kind), len(batch))
            for x, kind in zip(self._token, (pa.int64(), pa.int32(), pa.int64()), strict=True)
        ]
        names = ["chunk_id", "lease_no", "asset_id", *self.columns]
        rows = pa.RecordBatch.from_arrays([*tokens, *columns], names)
        self._begin(rows.schema)
        count = max(1, PIECE_BYTES * len(rows) // max(1, rows.nbytes))
        for start in range(0, len(rows), count):
            self._send(self._encoder.write_batch(rows.slice(start, count)))
        self.rows += len(rows)

    def flush(self) -> None:
        """Send what the encoder has buffered."""
        if self._encoder is not None:
            self._send(self._encoder.finish().removesuffix(END))
            self._encoder = self._schema = None

    def _send(self, piece: bytes) -> None:
        if piece:
            self._stream.write(PIECE_LENGTH.pack(len(piece)) + piece)

    def _begin(self, schema: Any) -> None:
        """Make an encoder for these columns; the next file may have other decimal types."""
        if schema == self._schema:
            return
        self.flush()
        self._schema = schema
        encoders = ArrowToPostgresBinaryEncoder.infer_encoder
        self._encoder = ArrowToPostgresBinaryEncoder.new_with_encoders(
            schema,
            {
                field.name: StringEncoderBuilder.new_with_output(field, Jsonb())
                if self._oids.get(field.name) == JSONB
                else encoders(field)
                for field in schema
            },
        )
        self._encoder.write_header()  # the runner writes one header for each piece


@contextmanager
def open_stage(chunk: Chunk) -> Iterator[Stage]:
    """Open the stage of the chunk's operation for the rows of its single asset."""
    if chunk.stage is None:
        raise WrongPlan("the handler writes to a stage: give the operation one (stage => '...')")
    with open(chunk.stage.pipe, "wb") as stream:
        stage = Stage(chunk.stage, int(chunk.asset_ids[0]), stream)
        yield stage
        stage.flush()


def _type(name: str, shown: str, oid: int) -> Any:
    if oid not in STAGE_TYPES:
        raise WrongPlan(
            f"column {name} of the stage is {shown}, which no handler can write: "
            "make it text there, and cast it in the ingest function"
        )
    return STAGE_TYPES[oid]


def _fit(column: Any, name: str, kind: Any) -> Any:
    """Return a column in the stage's type. Raises InvalidValue that names the column."""
    if pa.types.is_decimal(kind) and pa.types.is_decimal128(column.type):
        return column  # with its own digits
    try:
        return column.cast(kind)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as exc:
        raise InvalidValue(f"column {name} is {column.type}, no {kind}: {exc}") from exc

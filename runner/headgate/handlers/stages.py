"""The rows of a handler into its operation's stage: what `worker.loading` copies from a pipe.

Rows are Arrow batches with the stage's columns, encoded here as PostgreSQL's binary COPY has them.
Each piece of them is its length, then whole rows.
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
"""Behind the last row, which the runner writes."""
JSONB: Final = 3802
STAGE_TYPES: Final[Mapping[int, Any]] = {
    **TYPES,
    **dict.fromkeys((25, 114, 1042, 1043, JSONB), pa.string()),
    17: pa.binary(),
    NUMERIC: ANY_NUMERIC,
}
"""By the types of a stage's columns, Arrow's."""


class Stage:
    """A stage that takes batches; how many rows it has got."""

    def __init__(self, target: Target, asset_id: int, stream: BinaryIO) -> None:
        self.rows = 0
        self.columns = {name: _type(name, shown, oid) for name, shown, oid in target.columns}
        self._oids = {name: oid for name, _, oid in target.columns}
        self._token = (*target.token, asset_id)
        self._stream = stream
        self._encoder: Any = None
        self._schema: Any = None

    def write(self, batch: Any) -> None:
        """Add rows, whose columns are found by name. Raises InvalidValue where one does not fit."""
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
        """Send what the encoder has kept."""
        if self._encoder is not None:
            self._send(self._encoder.finish().removesuffix(END))
            self._encoder = self._schema = None

    def _send(self, piece: bytes) -> None:
        if piece:
            self._stream.write(PIECE_LENGTH.pack(len(piece)) + piece)

    def _begin(self, schema: Any) -> None:
        """Make an encoder for these columns: the next file may have other decimals."""
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
        self._encoder.write_header()  # each piece gets one from the runner


@contextmanager
def open_stage(chunk: Chunk) -> Iterator[Stage]:
    """Open the stage of the chunk's operation for the rows of its one asset."""
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
    """Return a column in the stage's type; raises InvalidValue with its name."""
    if pa.types.is_decimal(kind) and pa.types.is_decimal128(column.type):
        return column  # with the digits that it has
    try:
        return column.cast(kind)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as exc:
        raise InvalidValue(f"column {name} is {column.type}, no {kind}: {exc}") from exc

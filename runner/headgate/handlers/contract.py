"""The contract of handlers: the chunk that a handler is given, and the result that it returns.

    def last_close(chunk: Chunk) -> Result:
        close = chunk.columns["close"]
        return Result({"asset_id": chunk.asset_ids, "close": close[chunk.ends - 1]})

A handler is a function of a chunk. It runs in a separate process without a database connection and
commits nothing: the operation's ingest function writes the result, together with the state. This
module imports numpy, so a worker's main process never imports it.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import pandas

    from headgate.handlers.pool_messages import Target


@dataclass(frozen=True)
class Chunk:
    """The assets to compute, and all the rows their input function returned for them.

    `columns` holds the series of all assets, one after the other in the order of `asset_ids`: the
    series of asset i is `columns[name][starts[i]:ends[i]]`. `values` holds the columns that the
    input function returns as plain values, not as arrays, with one value for each asset. A missing
    number is nan, a missing date or time NaT, a missing text None. Dates are datetime64[D], times
    datetime64[us] in UTC.
    """

    asset_ids: npt.NDArray[np.int64]
    codes: list[str]
    watermarks: npt.NDArray[np.datetime64]
    """Each asset's watermark: how far its last result reached; NaT: there is none."""
    parameters: Mapping[str, Any]
    """The run's parameters."""
    now: datetime
    columns: dict[str, npt.NDArray[Any]] = field(default_factory=dict)
    values: dict[str, npt.NDArray[Any]] = field(default_factory=dict)
    lengths: npt.NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    """Number of rows of each asset; 0 if the input function returned nothing for it."""

    options: Mapping[str, Any] = field(default_factory=dict)
    """The operation's `handler_options`."""
    names: list[str | None] = field(default_factory=list)
    """Name of each asset's file, if the operation has an `artifact_name`."""
    folder: Path | None = None
    """Folder for files that are too large for memory, if the operation has a store."""

    stream: Path | None = None
    """Pipe for `headgate.handlers.open_stream`, if the operation has an `input_format`."""
    files: Mapping[int, Mapping[str, File]] = field(default_factory=dict)
    """By asset and name, the artifacts that the input names in the column `to_fetch`."""
    stage: Target | None = None
    """Stage for `headgate.handlers.open_stage`, if the operation has one."""

    def __len__(self) -> int:
        return len(self.asset_ids)

    @cached_property
    def ends(self) -> npt.NDArray[np.int64]:
        """Return the index after each asset's last row."""
        return np.cumsum(self.lengths)

    @cached_property
    def starts(self) -> npt.NDArray[np.int64]:
        """Return the index of each asset's first row."""
        starts: npt.NDArray[np.int64] = self.ends - self.lengths
        return starts

    def frame(self) -> pandas.DataFrame:
        """Return the columns as a frame, with the asset of each row in `asset_id`."""
        import pandas

        ids = np.repeat(self.asset_ids, self.lengths)
        return pandas.DataFrame({"asset_id": ids, **self.columns})

    def take(self, first: int, last: int) -> Chunk:
        """Return a chunk of the assets from `first` up to, not including, `last`; at least one."""
        rows = slice(int(self.starts[first]), int(self.ends[last - 1]))
        return Chunk(
            asset_ids=self.asset_ids[first:last],
            codes=self.codes[first:last],
            watermarks=self.watermarks[first:last],
            parameters=self.parameters,
            now=self.now,
            columns={name: column[rows] for name, column in self.columns.items()},
            values={name: value[first:last] for name, value in self.values.items()},
            lengths=self.lengths[first:last],
            options=self.options,
            names=self.names[first:last],
            folder=self.folder,
            files=self.files,
        )


@dataclass(frozen=True)
class File:
    """A file that a handler made: its bytes or its path."""

    content: bytes | str | os.PathLike[str]
    rows: int | None = None
    """Number of its rows, if it is a table."""
    media_type: str | None = None
    """None: guessed from the name."""


@dataclass(frozen=True)
class Result:
    """The result of a handler for a chunk.

    `rows` is a frame, or columns by name: exactly the columns of the row type that the operation's
    ingest function takes. `asset_id` names the asset of a row; an asset may have several rows.
    nan, NaT and None become null. Every asset of the chunk needs a row, or a reason in `skipped`
    (nothing to do, as after a success), `failed`, `retry` (tried again soon, by the operation's
    attempts and backoff), or `unknown` (an effect on another system may have happened: as `retry`,
    unless the operation's delivery is at_most_once).
    """

    rows: Mapping[str, Any] | pandas.DataFrame | None = None
    skipped: Mapping[int, str] = field(default_factory=dict)
    failed: Mapping[int, str] = field(default_factory=dict)
    retry: Mapping[int, str] = field(default_factory=dict)
    unknown: Mapping[int, str] = field(default_factory=dict)
    output: Mapping[int, Any] = field(default_factory=dict)
    """By asset, a JSON-compatible value for later steps: its output in the run's document."""
    files: Mapping[int, Mapping[str, File | bytes | str | os.PathLike[str]]] = field(
        default_factory=dict
    )
    """By asset and name (a relative path), the files that the runner puts into the store."""
    removed: Collection[int] = ()
    """IDs of artifacts that the runner removes from the operation's store."""
    staged: Mapping[int, int] = field(default_factory=dict)
    """By asset, the number of rows written to `headgate.handlers.open_stage`."""

"""What a handler is given and what it returns: the contract of operations that compute.

    def last_close(chunk: Chunk) -> Result:
        close = chunk.columns["close"]
        return Result({"asset_id": chunk.asset_ids, "close": close[chunk.ends - 1]})

A handler is a function of a chunk. It runs in a process of its own kind, sees no connection, and
commits nothing: what it returns is written by the operation's ingest function, together with the
state. This module brings numpy, so a worker's main process never imports it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True)
class Chunk:
    """The assets to compute, and all the rows their input function returned for them.

    `columns` holds the series of all assets, one after the other in the order of `asset_ids`: those
    of asset i are `columns[name][starts[i]:ends[i]]`. What the input function returns as plain
    values, not as arrays, is in `values`, one for each asset. A missing number is nan, a missing
    date or time NaT, a missing text None. Dates are datetime64[D], times datetime64[us] in UTC.
    """

    asset_ids: npt.NDArray[np.int64]
    codes: list[str]
    watermarks: npt.NDArray[np.datetime64]
    """How far each asset's last result reached; NaT: there is none."""
    parameters: Mapping[str, Any]
    """The run's parameters."""
    now: datetime
    columns: dict[str, npt.NDArray[Any]] = field(default_factory=dict)
    values: dict[str, npt.NDArray[Any]] = field(default_factory=dict)
    lengths: npt.NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    """How many rows each asset has; 0 where the input function returned nothing."""

    options: Mapping[str, Any] = field(default_factory=dict)
    """The operation's `handler_options`."""
    names: list[str | None] = field(default_factory=list)
    """Where its operation has an `artifact_name`: the name of each asset's file."""
    folder: Path | None = None
    """Where its operation has a store: where to write files that are too large for memory."""

    stream: Path | None = None
    """Where its operation has an `input_format`: a pipe, for `headgate.handlers.open_stream`."""

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
        """Return the assets from `first` up to, not including, `last`, one at least."""
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
        )


@dataclass(frozen=True)
class File:
    """A file that a handler made: its bytes, or where it is."""

    content: bytes | str | os.PathLike[str]
    rows: int | None = None
    """How many rows it holds, if it is a table."""
    media_type: str | None = None
    """None: what its name says."""


@dataclass(frozen=True)
class Result:
    """What a handler made of a chunk.

    `rows` is a frame, or columns by name: exactly those of the row type that the operation's ingest
    function takes. `asset_id` says whose a row is; an asset may have several. nan, NaT and None
    become null. Every asset of the chunk needs a row, or a reason in `skipped` (nothing to do, as
    after a success), `failed`, `retry` (not now, but soon: by the operation's attempts and
    backoff), or `unknown` (an effect on others that may have been had: as `retry`, unless the
    operation's delivery is at_most_once).
    """

    rows: Mapping[str, Any] | pandas.DataFrame | None = None
    skipped: Mapping[int, str] = field(default_factory=dict)
    failed: Mapping[int, str] = field(default_factory=dict)
    retry: Mapping[int, str] = field(default_factory=dict)
    unknown: Mapping[int, str] = field(default_factory=dict)
    output: Mapping[int, Any] = field(default_factory=dict)
    """What an asset has to say to later steps, as JSON has it: its output in the run's document."""
    files: Mapping[int, Mapping[str, File | bytes | str | os.PathLike[str]]] = field(
        default_factory=dict
    )
    """Of an asset the files by name, a path: the runner puts them into the operation's store."""

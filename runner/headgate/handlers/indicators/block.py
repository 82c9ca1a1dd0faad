"""Bars of many assets side by side: one row per asset, its last bar in the last column."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]


@dataclass(frozen=True)
class Block:
    """Adjusted bars, each array of shape (assets, columns).

    Histories differ in length: a shorter one is continued to the left with its first bar. So the
    first bar is the seed of every recursive average, and no window that is longer than a history
    sees a high or low that was not there.
    """

    lengths: Counts
    """Bars of each asset, shape (assets,)."""
    bars_52w: Counts
    """How many of them are of the last 52 weeks, shape (assets,)."""
    high: Floats
    low: Floats
    close: Floats
    """Prices in the listing's currency, adjusted for splits and dividends."""
    volume: Floats
    """Shares, adjusted for splits."""

    @cached_property
    def change(self) -> Floats:
        """Close less the close before; 0 for the first bar."""
        return _differences(self.close)

    @cached_property
    def log_return(self) -> Floats:
        """Logarithm of close over the close before; 0 for the first bar."""
        return _differences(np.log(self.close[:, -LONGEST_WINDOW:]))

    @cached_property
    def typical(self) -> Floats:
        """Mean of high, low and close, for short windows."""
        recent = (x[:, -SHORT_WINDOW:] for x in (self.high, self.low, self.close))
        return sum(recent, start=np.zeros(1)) / 3

    def at_least(self, bars: int, values: Floats) -> Floats:
        """Return the values, shape (assets,), as NaN where a history has fewer bars."""
        return np.where(self.lengths >= bars, values, np.nan)


SHORT_WINDOW: Final = 20
LONGEST_WINDOW: Final = 262
"""Columns a window may look back: 52 weeks have no more than 262 weekdays."""


def make_block(
    lengths: Sequence[int] | Counts,
    bars_52w: Sequence[int] | Counts,
    high: Floats,
    low: Floats,
    close: Floats,
    volume: Floats,
) -> Block:
    """Lay out flat columns: all bars of the first asset in order of date, then of the second, ...

    `lengths` says how many belong to each; every asset has at least one bar. Prices are adjusted.
    """
    counts = np.asarray(lengths, dtype=np.int64)
    if counts.size == 0 or counts.min() < 1:
        raise ValueError("a block has at least one asset, and each asset at least one bar")
    return Block(
        lengths=counts,
        bars_52w=np.asarray(bars_52w, dtype=np.int64),
        high=_aligned(high, counts),
        low=_aligned(low, counts),
        close=_aligned(close, counts),
        volume=_aligned(volume, counts),
    )


def _aligned(flat: Floats, counts: Counts) -> Floats:
    """Return shape (assets, longest): a row ends with the asset's bars, padded with its first."""
    longest = int(counts.max())
    if (counts == longest).all():
        return flat.reshape(counts.size, longest)
    block = np.empty((counts.size, longest))
    end = 0
    for row, count in zip(block, counts.tolist(), strict=True):
        start, end = end, end + count
        row[longest - count :] = flat[start:end]
        row[: longest - count] = flat[start]
    return block


def _differences(values: Floats) -> Floats:
    found = np.zeros_like(values)
    np.subtract(values[:, 1:], values[:, :-1], out=found[:, 1:])
    return found

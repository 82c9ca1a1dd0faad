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

    Histories differ in length: a shorter one is padded on the left with its first bar. So the first
    bar seeds every recursive average, and a window longer than a history sees no highs or lows that
    did not occur.
    """

    lengths: Counts
    """Number of bars of each asset, shape (assets,)."""
    bars_52w: Counts
    """Number of bars of the last 52 weeks of each asset, shape (assets,)."""
    high: Floats
    low: Floats
    close: Floats
    """Prices in the listing's currency, adjusted for splits and dividends."""
    volume: Floats
    """Shares, adjusted for splits."""

    @cached_property
    def change(self) -> Floats:
        """Return close minus the previous close; 0 for the first bar."""
        return self.close - previous(self.close)

    @cached_property
    def log_return(self) -> Floats:
        """Return the logarithm of close over the previous close; 0 for the first bar."""
        logarithms = np.log(self.close[:, -LONGEST_WINDOW:])
        return logarithms - previous(logarithms)

    @cached_property
    def typical(self) -> Floats:
        """Return the mean of high, low and close, for short windows."""
        recent = (x[:, -SHORT_WINDOW:] for x in (self.high, self.low, self.close))
        return sum(recent, start=np.zeros(1)) / 3

    def at_least(self, bars: int, values: Floats) -> Floats:
        """Return the values, shape (assets,), with NaN for histories of fewer bars."""
        return np.where(self.lengths >= bars, values, np.nan)


SHORT_WINDOW: Final = 20
LONGEST_WINDOW: Final = 262
"""Maximum number of columns in a window: 52 weeks have at most 262 weekdays."""


def make_block(
    lengths: Sequence[int] | Counts,
    bars_52w: Sequence[int] | Counts,
    high: Floats,
    low: Floats,
    close: Floats,
    volume: Floats,
) -> Block:
    """Return a block from flat columns: all bars of the first asset by date, then of the second...

    `lengths` has the number of bars of each asset, at least one. Prices are adjusted.
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
    """Return shape (assets, longest): each row is padded on the left with the asset's first bar."""
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


def previous(values: Floats) -> Floats:
    """Return each bar's value one bar before; the first bar's own for the first.

    The rows are copied as one, which takes half as long as all columns but the last.
    """
    found = np.empty_like(values, order="C")
    found.ravel()[1:] = values.ravel()[:-1]
    found[:, 0] = values[:, 0]
    return found

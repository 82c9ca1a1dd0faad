"""Computes all indicators of a block of assets."""

from __future__ import annotations

from typing import Final

import numpy as np

from headgate.handlers.indicators import columns
from headgate.handlers.indicators.block import Block, Floats

LEAST_BARS: Final = 200
"""A history with fewer bars has no indicators."""
KINDS: Final = (
    columns.levels,
    columns.trend,
    columns.direction,
    columns.momentum,
    columns.volatility,
    columns.volume,
)


def compute(block: Block) -> dict[str, Floats]:
    """Return each indicator's last value by column, shape (assets,); NaN means no value.

    Values are never infinite, and numpy's warnings are suppressed. Raises ValueError if an asset
    has fewer than LEAST_BARS bars.
    """
    if block.lengths.min() < LEAST_BARS:
        raise ValueError(f"every asset of a block needs at least {LEAST_BARS} bars")
    found: dict[str, Floats] = {}
    with np.errstate(all="ignore"):
        for kind in KINDS:
            found |= kind(block)
    values = np.array(list(found.values()))
    values[~np.isfinite(values)] = np.nan
    return dict(zip(found, values, strict=True))

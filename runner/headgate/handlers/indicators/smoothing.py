"""Exponential averages of whole blocks.

The last value of an exponential average is linear in its input, so one product with a matrix of
weights gives all of them; only ADX, which has a division in between, needs those of every bar.
Every average starts at its first value, as `ewm(adjust=False)` of pandas does: the first column has
the weight of all columns that would precede it.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np

from headgate.handlers.indicators.block import Floats

WILDER_DAYS: Final = 14
WILDER_ALPHA: Final = 1 / WILDER_DAYS
WILDER_MEMORY: Final = 400
"""Columns that Wilder's averages look back: an older value would weigh less than 1e-11."""


@lru_cache(maxsize=8)
def ema_weights(days: tuple[int, ...], columns: int) -> Floats:
    """Return the weights of averages over `days`, shape (columns, len(days))."""
    alphas = np.array([2 / (x + 1) for x in days])
    return _seeded(_aged(alphas, columns), total=1)


@lru_cache(maxsize=8)
def macd_weights(fast: int, slow: int, signal: int, columns: int) -> Floats:
    """Return the weights of MACD and of its signal line, shape (columns, 2)."""
    fast_alpha, slow_alpha, signal_alpha = (2 / (x + 1) for x in (fast, slow, signal))
    line = _aged(fast_alpha, columns) - _aged(slow_alpha, columns)
    smooth = _twice(fast_alpha, signal_alpha, columns) - _twice(slow_alpha, signal_alpha, columns)
    return _seeded(np.stack([line, smooth], axis=1), total=0)


@lru_cache(maxsize=8)
def wilder_weights(columns: int) -> Floats:
    """Return the weights of Wilder's average over 14 days, shape (columns,)."""
    return _seeded(_aged(WILDER_ALPHA, columns), total=1)


def wilder_index(plus: Floats, minus: Floats) -> Floats:
    """Return the directional index: the difference of Wilder's averages over their sum, 0 for 0/0.

    In a ratio the weights of a column may have any common factor: with the growing ones of
    `_growth`, both averages up to each column are running sums, here as one of complex numbers.
    The values are not negative, so no digits are lost.
    """
    sums = np.empty(plus.shape, np.complex128)
    growth = _growth(plus.shape[1])
    np.multiply(plus, growth, out=sums.real)
    np.multiply(minus, growth, out=sums.imag)
    np.cumsum(sums, axis=1, out=sums)
    total = sums.real + sums.imag
    total += np.finfo(np.float64).tiny
    index = sums.real - sums.imag
    np.abs(index, out=index)
    index /= total
    return index


@lru_cache(maxsize=8)
def _growth(columns: int) -> Floats:
    """Return weights whose running sums are Wilder's averages, each times a factor of its own."""
    weights = np.asarray((1 - WILDER_ALPHA) ** -np.arange(columns, dtype=np.float64))
    weights[1:] *= WILDER_ALPHA
    weights.flags.writeable = False  # it is cached and shared
    return weights


def _aged(alpha: float | Floats, columns: int) -> Floats:
    """Return the weight of each column, the newest last, as for an infinite past."""
    ages = np.arange(columns - 1, -1, -1, dtype=np.float64)
    if isinstance(alpha, np.ndarray):
        ages = ages[:, None]
    return np.asarray(alpha * (1 - alpha) ** ages, dtype=np.float64)


def _twice(first: float, second: float, columns: int) -> Floats:
    """Return the weights of an average over `second` of averages over `first`."""
    ages = np.arange(columns - 1, -1, -1, dtype=np.float64)
    keep, keep_too = 1 - first, 1 - second
    powers = (keep ** (ages + 1) - keep_too ** (ages + 1)) / (keep - keep_too)
    return np.asarray(first * second * powers, dtype=np.float64)


def _seeded(weights: Floats, total: float) -> Floats:
    """Set the first column to the rest of the total: the weight of all columns before it."""
    weights[0] = total - weights[1:].sum(axis=0)
    weights.flags.writeable = False  # it is cached and shared
    return weights

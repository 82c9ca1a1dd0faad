"""Indicators bar by bar, for charts: each function takes and returns arrays of shape (bars,)."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from headgate.handlers.indicators.block import Floats
from headgate.handlers.indicators.smoothing import WILDER_ALPHA


def sma(values: Floats, days: int) -> Floats:
    """Return the mean of the last `days` values; nan if there are fewer."""
    return np.asarray(_windows(values, days).mean(axis=1))


def deviation(values: Floats, days: int) -> Floats:
    """Return the standard deviation of the last `days` values; nan if there are fewer."""
    return np.asarray(_windows(values, days).std(axis=1))


def ema(values: Floats, days: int) -> Floats:
    """Return the exponential average over `days`, starting at the first value."""
    return _average(values, 2 / (days + 1))


def rsi(close: Floats) -> Floats:
    """Return RSI over 14 bars; nan until the price has moved."""
    change = np.diff(close, prepend=close[:1])
    moves = np.stack([np.maximum(change, 0), np.abs(change)], axis=1)
    gain, move = _average(moves, WILDER_ALPHA).T
    found = np.full(len(close), np.nan)
    np.divide(100 * gain, move, out=found, where=move > 0)
    return found


def macd(close: Floats) -> tuple[Floats, Floats]:
    """Return the MACD line (12, 26) and its signal (9)."""
    line = ema(close, 12) - ema(close, 26)
    return line, ema(line, 9)


def _average(values: Floats, alpha: float) -> Floats:
    """Return the exponential average up to each bar; the first axis of `values` is time."""
    found = values.copy()
    for nth in range(1, len(found)):
        found[nth] = alpha * values[nth] + (1 - alpha) * found[nth - 1]
    return found


def _windows(values: Floats, days: int) -> Floats:
    padded = np.concatenate([np.full(days - 1, np.nan), values])
    return sliding_window_view(padded, days)

"""Computes the indicators, by kind: each function takes a block and returns columns by name.

The comments on the columns of equities.technical_indicators define each column. A value that cannot
be computed (0/0, a window longer than the history) is not finite here; `compute` makes it NaN.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from headgate.handlers.indicators.block import LONGEST_WINDOW, Block, Floats, previous
from headgate.handlers.indicators.smoothing import (
    WILDER_MEMORY,
    ema_weights,
    macd_weights,
    wilder_index,
    wilder_weights,
)

Columns = dict[str, Floats]
"""Values by name, each of shape (assets,)."""

SMA_DAYS: Final = (5, 10, 20, 50, 100, 200)
EMA_DAYS: Final = (10, 12, 20, 26, 50, 100, 200)
YEAR: Final = 252
FLAT: Final = 1e-12
"""A spread below this fraction of the mean is rounding: the price has not moved."""


def trend(block: Block) -> Columns:
    """Return moving averages, MACD and the distance from averages."""
    close = block.close
    columns = close.shape[1]
    found = {f"sma_{days}": close[:, -days:].mean(axis=1) for days in SMA_DAYS}
    averages = close @ ema_weights(EMA_DAYS, columns)
    found |= {f"ema_{days}": averages[:, nth] for nth, days in enumerate(EMA_DAYS)}
    line, signal = (close @ macd_weights(12, 26, 9, columns)).T
    found |= {"macd": line, "macd_signal": signal, "macd_histogram": line - signal}
    for days in (50, 200):
        found[f"distance_sma_{days}"] = 100 * (close[:, -1] / found[f"sma_{days}"] - 1)
    return found


def direction(block: Block) -> Columns:
    """Return Wilder's range and direction: ATR, both DI, ADX."""
    high, low, close = (
        np.ascontiguousarray(x[:, -WILDER_MEMORY - 1 :])
        for x in (block.high, block.low, block.close)
    )
    rises, falls, before = high - previous(high), previous(low) - low, previous(close)
    rounding = FLAT * close  # so that equal moves count for neither, as in exact arithmetic
    more = rises - falls
    plus = rises * ((more > rounding) & (rises > rounding))
    minus = falls * ((more < -rounding) & (falls > rounding))
    span = np.maximum(high, before) - np.minimum(low, before)
    if block.close.shape[1] > WILDER_MEMORY:  # the first column was only needed for differences
        plus, minus, span = plus[:, 1:], minus[:, 1:], span[:, 1:]

    weights = wilder_weights(span.shape[1])
    ranges = span @ weights
    has_moved = ranges > FLAT * close[:, -1]
    index = wilder_index(plus, minus)
    return {
        "atr_14": ranges,
        "atr_percent": 100 * ranges / close[:, -1],
        "plus_di_14": np.where(has_moved, 100 * (plus @ weights) / ranges, np.nan),
        "minus_di_14": np.where(has_moved, 100 * (minus @ weights) / ranges, np.nan),
        "adx_14": np.where(has_moved, 100 * (index @ weights), np.nan),
    }


def momentum(block: Block) -> Columns:
    """Return RSI, stochastics, Williams %R, CCI and rates of change."""
    close = block.close
    changes = block.change[:, -WILDER_MEMORY:]
    weights = wilder_weights(changes.shape[1])
    gain, move = np.maximum(changes, 0) @ weights, np.abs(changes) @ weights
    raw = np.stack([_place(block, 14, nth) for nth in range(5)], axis=1)  # the newest first
    slow = (raw[:, :3] + raw[:, 1:4] + raw[:, 2:]) / 3
    typical = block.typical[:, -20:]
    mean = typical.mean(axis=1)
    deviation = np.abs(typical - mean[:, None]).mean(axis=1)
    found = {
        "rsi_14": 100 * gain / move,
        "stochastic_k_14": slow[:, 0],
        "stochastic_d_3": slow.mean(axis=1),
        "williams_r_14": raw[:, 0] - 100,
        "cci_20": (typical[:, -1] - mean) / (0.015 * _spread(deviation, mean)),
    }
    for days in (5, 21, 63, 126, 252):
        if close.shape[1] > days:
            change = 100 * (close[:, -1] / close[:, -1 - days] - 1)
        else:
            change = np.full(len(close), np.nan)
        found[f"roc_{days}"] = block.at_least(days + 1, change)
    return found


def volatility(block: Block) -> Columns:
    """Return Bollinger bands, z-scores and realised volatility."""
    close = block.close
    last = close[:, -1]
    mean, deviation = _moments(close[:, -20:])
    band = 2 * deviation
    found = {
        "bollinger_upper_20": mean + band,
        "bollinger_lower_20": mean - band,
        "bollinger_width_20": 100 * 2 * band / mean,
        "bollinger_percent_b": (last - mean + band) / (2 * _spread(band, mean)),
    }
    for days in (20, 60):
        found[f"zscore_{days}"] = _score(close[:, -days:])
    for days in (20, 60, YEAR):
        _, spread = _moments(block.log_return[:, -days:], ddof=1)
        found[f"volatility_{days}"] = block.at_least(days + 1, 100 * np.sqrt(YEAR) * spread)
    return found


def volume(block: Block) -> Columns:
    """Return OBV, MFI, money flow, and the latest volume relative to its averages."""
    shares, typical = block.volume, block.typical
    flow = typical[:, -14:] * shares[:, -14:]
    moves, rounding = typical[:, -14:] - typical[:, -15:-1], FLAT * typical[:, -14:]
    inflow, outflow = (np.where(x > rounding, flow, 0).sum(axis=1) for x in (moves, -moves))
    high, low, close, traded = (
        x[:, -20:] for x in (block.high, block.low, block.close, block.volume)
    )
    span = high - low
    place = np.divide(2 * close - high - low, span, out=np.zeros_like(span), where=span > 0)
    return {
        "obv": np.einsum("ij,ij->i", np.sign(block.change), shares),
        "mfi_14": 100 * inflow / (inflow + outflow),
        "cmf_20": (place * traded).sum(axis=1) / traded.sum(axis=1),
        "volume": shares[:, -1],
        "volume_sma_20": traded.mean(axis=1),
        "volume_sma_50": shares[:, -50:].mean(axis=1),
        "volume_ratio_20": shares[:, -1] / traded.mean(axis=1),
        "volume_ratio_50": shares[:, -1] / shares[:, -50:].mean(axis=1),
        "volume_zscore_20": _score(traded),
        "turnover_20": (close * traded).mean(axis=1),
    }


def levels(block: Block) -> Columns:
    """Return the highs, lows and drawdowns of a year."""
    close = block.close[:, -YEAR:]
    last = close[:, -1]
    peaks = np.maximum.accumulate(close, axis=1)
    high, low = _extremes(block)
    return {
        "adjusted_close": last,
        "high_52w": high,
        "low_52w": low,
        "from_high_52w": 100 * (last / high - 1),
        "from_low_52w": 100 * (last / low - 1),
        "drawdown_252": 100 * (last / peaks[:, -1] - 1),
        "max_drawdown_252": 100 * (close / peaks - 1).min(axis=1),
    }


def _extremes(block: Block) -> tuple[Floats, Floats]:
    """Return the highest high and the lowest low of each asset's last 52 weeks."""
    highs, lows = block.high[:, -LONGEST_WINDOW:], block.low[:, -LONGEST_WINDOW:]
    columns = highs.shape[1]
    common = columns - min(columns, int(block.bars_52w.min()))  # where the window of all begins
    is_recent = np.arange(columns, columns - common, -1) <= block.bars_52w[:, None]
    high = np.where(is_recent, highs[:, :common], -np.inf).max(axis=1, initial=-np.inf)
    low = np.where(is_recent, lows[:, :common], np.inf).min(axis=1, initial=np.inf)
    high = np.maximum(high, highs[:, common:].max(axis=1, initial=-np.inf))
    low = np.minimum(low, lows[:, common:].min(axis=1, initial=np.inf))
    return high, low


def _place(block: Block, days: int, ago: int) -> Floats:
    """Return the close `ago` bars ago as a percentage of its window's range: 0 is the low."""
    end = block.close.shape[1] - ago
    high = block.high[:, end - days : end].max(axis=1)
    low = block.low[:, end - days : end].min(axis=1)
    place: Floats = 100 * (block.close[:, end - 1] - low) / (high - low)
    return place


def _score(window: Floats) -> Floats:
    """Return the distance of the last column from the mean, in standard deviations."""
    mean, deviation = _moments(window)
    score: Floats = (window[:, -1] - mean) / _spread(deviation, mean)
    return score


def _moments(window: Floats, ddof: int = 0) -> tuple[Floats, Floats]:
    """Return mean and standard deviation of each row; np.std computes the mean once more."""
    mean = window.mean(axis=1)
    distance = window - mean[:, None]
    squares = np.einsum("ij,ij->i", distance, distance)
    return mean, np.sqrt(squares / (window.shape[1] - ddof))


def _spread(spread: Floats, mean: Floats) -> Floats:
    """Return the spread, with NaN where it is only rounding."""
    return np.where(spread > FLAT * np.abs(mean), spread, np.nan)

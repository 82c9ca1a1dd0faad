"""The indicators once more, in plain pandas, from their definitions, without the code under test.

Written per column and for the whole history, as in textbooks. Recursive averages start at their first value
(`adjust=False`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

Wide = Any
"""A frame: one column per asset, one row per bar; shorter histories begin later."""


def last_values(assets: dict[str, Any]) -> pd.DataFrame:
    """Return every indicator's last value: one row per asset, one column per indicator."""
    wide = {name: _wide(assets, name) for name in ("date", "high", "low", "close", "volume")}
    adjusted = _wide(assets, "adjusted_close")
    factor = adjusted / wide["close"]
    high, low, volume = wide["high"] * factor, wide["low"] * factor, wide["volume"]
    found = {
        "adjusted_close": adjusted,
        **_trend(adjusted),
        **_direction(high, low, adjusted),
        **_momentum(high, low, adjusted),
        **_volatility(adjusted),
        **_volume(high, low, adjusted, volume),
        **_levels(wide["date"], high, low, adjusted),
    }
    return pd.DataFrame({name: values.iloc[-1] for name, values in found.items()})


def _wide(assets: dict[str, Any], column: str) -> Wide:
    longest = max(len(x) for x in assets.values())
    return pd.DataFrame(
        {
            name: bars[column].set_axis(range(longest - len(bars), longest))
            for name, bars in assets.items()
        },
        index=range(longest),
    )


def _ema(values: Wide, days: int) -> Wide:
    return values.ewm(span=days, adjust=False).mean()


def _wilder(values: Wide) -> Wide:
    return values.ewm(alpha=1 / 14, adjust=False).mean()


def _trend(close: Wide) -> dict[str, Wide]:
    found = {f"sma_{n}": close.rolling(n).mean() for n in (5, 10, 20, 50, 100, 200)}
    found |= {f"ema_{n}": _ema(close, n) for n in (10, 12, 20, 26, 50, 100, 200)}
    macd = _ema(close, 12) - _ema(close, 26)
    signal = _ema(macd, 9)
    found |= {"macd": macd, "macd_signal": signal, "macd_histogram": macd - signal}
    found |= {f"distance_sma_{n}": 100 * (close / found[f"sma_{n}"] - 1) for n in (50, 200)}
    return found


def _direction(high: Wide, low: Wide, close: Wide) -> dict[str, Wide]:
    up, down = high.diff(), -low.diff()
    least = 1e-11 * close  # a tie is a tie, whatever the last digit of a float is
    plus = up.where((up - down > least) & (up > least), 0).where(close.notna())
    minus = down.where((down - up > least) & (down > least), 0).where(close.notna())
    before = close.shift()
    ranges = (
        (high - low).combine((high - before).abs(), np.fmax).combine((low - before).abs(), np.fmax)
    )
    atr = _wilder(ranges)
    plus_di, minus_di = 100 * _wilder(plus) / atr, 100 * _wilder(minus) / atr
    dx = (100 * (plus_di - minus_di).abs() / (plus_di + minus_di)).fillna(0).where(close.notna())
    return {
        "atr_14": atr,
        "atr_percent": 100 * atr / close,
        "plus_di_14": plus_di,
        "minus_di_14": minus_di,
        "adx_14": _wilder(dx),
    }


def _momentum(high: Wide, low: Wide, close: Wide) -> dict[str, Wide]:
    change = close.diff().fillna(0).where(close.notna())
    gain, loss = _wilder(change.clip(lower=0)), _wilder(-change.clip(upper=0))
    top, bottom = high.rolling(14).max(), low.rolling(14).min()
    slow = (100 * (close - bottom) / (top - bottom)).rolling(3).mean()
    typical = (high + low + close) / 3
    mean = typical.rolling(20).mean()
    deviation = (typical.tail(20) - mean.iloc[-1]).abs().mean()
    found = {
        "rsi_14": 100 - 100 / (1 + gain / loss),
        "stochastic_k_14": slow,
        "stochastic_d_3": slow.rolling(3).mean(),
        "williams_r_14": -100 * (top - close) / (top - bottom),
        "cci_20": (typical - mean) / (0.015 * deviation),
    }
    return found | {f"roc_{n}": 100 * close.pct_change(n) for n in (5, 21, 63, 126, 252)}


def _volatility(close: Wide) -> dict[str, Wide]:
    mean = close.rolling(20).mean()
    band = 2 * _last_std(close, 20, ddof=0)
    returns = np.log(close / close.shift())
    found = {
        "bollinger_upper_20": mean + band,
        "bollinger_lower_20": mean - band,
        "bollinger_width_20": 100 * 2 * band / mean,
        "bollinger_percent_b": (close - (mean - band)) / (2 * band),
    }
    found |= {f"zscore_{n}": _score(close, n) for n in (20, 60)}
    year = 100 * np.sqrt(252)
    return found | {f"volatility_{n}": year * _last_std(returns, n, ddof=1) for n in (20, 60, 252)}


def _volume(high: Wide, low: Wide, close: Wide, volume: Wide) -> dict[str, Wide]:
    typical = (high + low + close) / 3
    flow, move, least = typical * volume, typical.diff(), 1e-11 * close
    inflow = flow.where(move > least, 0).rolling(14).sum()
    outflow = flow.where(move < -least, 0).rolling(14).sum()
    place = (((close - low) - (high - close)) / (high - low)).fillna(0)
    return {
        "obv": (np.sign(close.diff()).fillna(0) * volume).cumsum(),
        "mfi_14": 100 - 100 / (1 + inflow / outflow),
        "cmf_20": (place * volume).rolling(20).sum() / volume.rolling(20).sum(),
        "volume": volume,
        "volume_sma_20": volume.rolling(20).mean(),
        "volume_sma_50": volume.rolling(50).mean(),
        "volume_ratio_20": volume / volume.rolling(20).mean(),
        "volume_ratio_50": volume / volume.rolling(50).mean(),
        "volume_zscore_20": _score(volume, 20),
        "turnover_20": (close * volume).rolling(20).mean(),
    }


def _levels(date: Wide, high: Wide, low: Wide, close: Wide) -> dict[str, Wide]:
    is_recent = date.gt(date.iloc[-1] - pd.Timedelta(weeks=52), axis="columns")
    top = high.where(is_recent).expanding().max()
    bottom = low.where(is_recent).expanding().min()
    year = close.tail(252)
    drawdown = 100 * (year / year.expanding().max() - 1)
    return {
        "high_52w": top,
        "low_52w": bottom,
        "from_high_52w": 100 * (close / top - 1),
        "from_low_52w": 100 * (close / bottom - 1),
        "drawdown_252": drawdown,
        "max_drawdown_252": drawdown.expanding().min(),
    }


def _last_std(values: Wide, days: int, ddof: int) -> Wide:
    """Return the deviation of the last window (`rolling` loses digits), null if it is not full."""
    tail = values.tail(days)
    last = tail.std(ddof=ddof).where(tail.notna().all())
    return pd.DataFrame([last], index=values.index[-1:]).reindex(values.index)


def _score(values: Wide, days: int) -> Wide:
    return (values - values.rolling(days).mean()) / _last_std(values, days, ddof=0)

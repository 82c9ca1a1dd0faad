"""The indicators as they are often computed: in pandas, one asset at a time, for every bar.

Functions of pandas are used where they exist, otherwise `rolling().apply` of a Python function.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

YEAR = 252


def naive(bars: pd.DataFrame) -> dict[str, float]:
    """Return the last value of every column of the indicators' table except `close`."""
    frame: Any = bars.reset_index(drop=True)
    factor = frame["adjusted_close"] / frame["close"]
    frame["high"] = frame["high"] * factor
    frame["low"] = frame["low"] * factor
    frame["close"] = frame["adjusted_close"]
    for step in (_trend, _direction, _momentum, _volatility, _volume, _levels):
        step(frame)
    kept = frame.drop(columns=["date", "open", "high", "low", "close"])
    return {str(name): float(kept[name].iloc[-1]) for name in kept}


def _trend(f: Any) -> None:
    for n in (5, 10, 20, 50, 100, 200):
        f[f"sma_{n}"] = f["close"].rolling(n).mean()
    for n in (10, 12, 20, 26, 50, 100, 200):
        f[f"ema_{n}"] = f["close"].ewm(span=n, adjust=False).mean()
    f["macd"] = f["ema_12"] - f["ema_26"]
    f["macd_signal"] = f["macd"].ewm(span=9, adjust=False).mean()
    f["macd_histogram"] = f["macd"] - f["macd_signal"]
    for n in (50, 200):
        f[f"distance_sma_{n}"] = 100 * (f["close"] / f[f"sma_{n}"] - 1)


def _direction(f: Any) -> None:
    up, down = f["high"].diff().fillna(0), -f["low"].diff().fillna(0)
    plus = pd.Series([u if u > d and u > 0 else 0.0 for u, d in zip(up, down, strict=True)])
    minus = pd.Series([d if d > u and d > 0 else 0.0 for u, d in zip(up, down, strict=True)])
    before = f["close"].shift()
    ranges = pd.concat(
        [f["high"] - f["low"], (f["high"] - before).abs(), (f["low"] - before).abs()], axis=1
    ).max(axis=1)
    f["atr_14"] = ranges.ewm(alpha=1 / 14, adjust=False).mean()
    f["atr_percent"] = 100 * f["atr_14"] / f["close"]
    f["plus_di_14"] = 100 * plus.ewm(alpha=1 / 14, adjust=False).mean() / f["atr_14"]
    f["minus_di_14"] = 100 * minus.ewm(alpha=1 / 14, adjust=False).mean() / f["atr_14"]
    both = f["plus_di_14"] + f["minus_di_14"]
    dx = (100 * (f["plus_di_14"] - f["minus_di_14"]).abs() / both).fillna(0)
    f["adx_14"] = dx.ewm(alpha=1 / 14, adjust=False).mean()


def _momentum(f: Any) -> None:
    change = f["close"].diff().fillna(0)
    gain = change.clip(lower=0).ewm(alpha=1 / 14, adjust=False).mean()
    loss = (-change.clip(upper=0)).ewm(alpha=1 / 14, adjust=False).mean()
    f["rsi_14"] = 100 - 100 / (1 + gain / loss)
    top, bottom = f["high"].rolling(14).max(), f["low"].rolling(14).min()
    f["stochastic_k_14"] = (100 * (f["close"] - bottom) / (top - bottom)).rolling(3).mean()
    f["stochastic_d_3"] = f["stochastic_k_14"].rolling(3).mean()
    f["williams_r_14"] = -100 * (top - f["close"]) / (top - bottom)
    typical = (f["high"] + f["low"] + f["close"]) / 3
    deviation = typical.rolling(20).apply(lambda x: np.abs(x - x.mean()).mean(), raw=True)
    f["cci_20"] = (typical - typical.rolling(20).mean()) / (0.015 * deviation)
    for n in (5, 21, 63, 126, 252):
        f[f"roc_{n}"] = 100 * f["close"].pct_change(n)


def _volatility(f: Any) -> None:
    middle, band = f["close"].rolling(20).mean(), 2 * f["close"].rolling(20).std(ddof=0)
    f["bollinger_upper_20"], f["bollinger_lower_20"] = middle + band, middle - band
    f["bollinger_width_20"] = 200 * band / middle
    f["bollinger_percent_b"] = (f["close"] - middle + band) / (2 * band)
    for n in (20, 60):
        f[f"zscore_{n}"] = (
            f["close"].rolling(n).apply(lambda x: (x[-1] - x.mean()) / x.std(), raw=True)
        )
    returns = np.log(f["close"] / f["close"].shift())
    for n in (20, 60, YEAR):
        f[f"volatility_{n}"] = returns.rolling(n).std() * np.sqrt(YEAR) * 100


def _volume(f: Any) -> None:
    f["obv"] = (np.sign(f["close"].diff()).fillna(0) * f["volume"]).cumsum()
    typical = (f["high"] + f["low"] + f["close"]) / 3
    flow, move = typical * f["volume"], typical.diff()
    inflow = flow.where(move > 0, 0).rolling(14).sum()
    outflow = flow.where(move < 0, 0).rolling(14).sum()
    f["mfi_14"] = 100 - 100 / (1 + inflow / outflow)
    place = (2 * f["close"] - f["high"] - f["low"]) / (f["high"] - f["low"])
    f["cmf_20"] = (place * f["volume"]).rolling(20).sum() / f["volume"].rolling(20).sum()
    for n in (20, 50):
        f[f"volume_sma_{n}"] = f["volume"].rolling(n).mean()
        f[f"volume_ratio_{n}"] = f["volume"] / f[f"volume_sma_{n}"]
    f["volume_zscore_20"] = (
        f["volume"].rolling(20).apply(lambda x: (x[-1] - x.mean()) / x.std(), raw=True)
    )
    f["turnover_20"] = (f["close"] * f["volume"]).rolling(20).mean()


def _levels(f: Any) -> None:
    dated = f.set_index("date")
    f["high_52w"] = dated["high"].rolling("364D").max().to_numpy()
    f["low_52w"] = dated["low"].rolling("364D").min().to_numpy()
    f["from_high_52w"] = 100 * (f["close"] / f["high_52w"] - 1)
    f["from_low_52w"] = 100 * (f["close"] / f["low_52w"] - 1)
    year = f["close"].rolling(YEAR, min_periods=1)
    f["drawdown_252"] = 100 * (f["close"] / year.max() - 1)
    f["max_drawdown_252"] = 100 * year.apply(
        lambda x: (x / np.maximum.accumulate(x) - 1).min(), raw=True
    )

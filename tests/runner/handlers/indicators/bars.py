"""Daily bars for calculations: invented, or the real ones beside this checkout."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from headgate.handlers.indicators.block import Block, make_block

FOLDER = Path(os.environ.get("HEADGATE_DATA") or "no folder") / "us_eod_5y"
COLUMNS = ("high", "low", "close", "volume")


def made_up(bars: int, *, seed: int = 1, start: str = "2015-01-01") -> pd.DataFrame:
    """Return a random walk on weekdays: date, open, high, low, close, adjusted_close, volume."""
    random = np.random.default_rng(seed)
    close = np.round(50 * np.exp(random.normal(0, 0.02, bars).cumsum()), 2)
    opening = np.round(close * (1 + random.normal(0, 0.005, bars)), 2)
    high = np.maximum(close, opening) + np.round(random.exponential(0.3, bars), 2)
    low = np.minimum(close, opening) * (1 - random.uniform(0, 0.01, bars))
    return pd.DataFrame(
        {
            "date": pd.bdate_range(start, periods=bars),
            "open": opening,
            "high": high,
            "low": low,
            "close": close,
            "adjusted_close": close,
            "volume": random.integers(1_000, 1_000_000, bars).astype(float),
        }
    )


def real() -> dict[str, pd.DataFrame]:
    """Return the believable bars of each symbol, in order of date."""
    rows = pd.read_csv(FOLDER / "eod.csv.gz", parse_dates=["date"])
    rows["adjusted_close"] = rows["close"]
    is_sound = (
        rows[["open", "close"]].max(axis=1).le(rows["high"])
        & rows[["open", "close"]].min(axis=1).ge(rows["low"])
        & rows[["open", "high", "low"]].notna().all(axis=1)
        & rows["volume"].gt(0)
    )
    sorted_rows = rows[is_sound].sort_values(["symbol", "date"])
    return {str(symbol): bars for symbol, bars in sorted_rows.groupby("symbol")}


def block_of(assets: Mapping[str, pd.DataFrame]) -> Block:
    """Return the assets side by side in their order, adjusted like by the input function."""
    flat = pd.concat(assets.values())
    factor = flat["adjusted_close"] / flat["close"]
    for name in ("high", "low", "close"):
        flat[name] = flat["adjusted_close"] if name == "close" else flat[name] * factor
    columns = (flat[name].to_numpy(dtype=np.float64) for name in COLUMNS)
    recent = [recent_bars(bars) for bars in assets.values()]
    return make_block([len(x) for x in assets.values()], recent, *columns)


def recent_bars(bars: pd.DataFrame) -> int:
    """Count the bars of the 52 weeks that end with the last one."""
    return int((bars["date"] > bars["date"].iloc[-1] - pd.Timedelta(weeks=52)).sum())

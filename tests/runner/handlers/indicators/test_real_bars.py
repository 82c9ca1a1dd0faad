"""Every indicator's last value on real bars, against pandas and against TA-Lib."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import talib

from headgate.handlers.indicators.compute import LEAST_BARS, compute
from tests.runner.handlers.indicators.bars import FOLDER, block_of, real
from tests.runner.handlers.indicators.reference import last_values

PRECISION = 1e-9
SEEDED = {"ema_100": 1e-5, "ema_200": 0.02}
"""TA-Lib starts an average at the mean of its first window, we at the first bar."""

pytestmark = pytest.mark.skipif(
    not (FOLDER / "eod.csv.gz").exists(),
    reason="HEADGATE_DATA does not name the folder that holds us_eod_5y/eod.csv.gz",
)


@pytest.fixture(scope="module")
def assets() -> dict[str, pd.DataFrame]:
    return {name: bars for name, bars in real().items() if len(bars) >= LEAST_BARS}


@pytest.fixture(scope="module")
def ours(assets) -> pd.DataFrame:
    return pd.DataFrame(compute(block_of(assets)), index=list(assets))


def test_every_value_is_pandas_value(assets, ours):
    expected = last_values(assets)

    assert len(ours) > 470
    assert set(expected.columns) == set(ours.columns)
    pd.testing.assert_frame_equal(
        expected[ours.columns.to_list()], ours, check_exact=False, rtol=PRECISION, atol=1e-11
    )


def test_every_value_that_ta_lib_has_is_ta_lib_s(assets, ours):
    long = {name: bars for name, bars in assets.items() if len(bars) >= 1_000}
    expected = pd.DataFrame({name: _by_ta_lib(bars) for name, bars in long.items()}).T

    assert len(long) > 450
    for column in expected:
        tolerance = SEEDED.get(str(column), PRECISION)
        np.testing.assert_allclose(
            ours.loc[list(long), column],
            expected[column],
            rtol=tolerance,
            atol=1e-8,
            err_msg=column,
        )


def _by_ta_lib(bars: pd.DataFrame) -> dict[str, float]:
    high, low, close, volume = (
        bars[x].to_numpy(dtype=np.float64) for x in ("high", "low", "close", "volume")
    )
    # Ratios are the same in hundredths of a cent, in which a tie is exact.
    highs, lows, closes = (np.round(10_000 * x) for x in (high, low, close))
    k, d = talib.STOCH(high, low, close, fastk_period=14, slowk_period=3, slowd_period=3)
    upper, _, lower = talib.BBANDS(close, 20, 2, 2)
    macd, signal, histogram = talib.MACD(close, 12, 26, 9)
    series = {
        **{f"sma_{n}": talib.SMA(close, n) for n in (5, 10, 20, 50, 100, 200)},
        **{f"ema_{n}": talib.EMA(close, n) for n in (10, 12, 20, 26, 50, 100, 200)},
        **{f"roc_{n}": talib.ROC(close, n) for n in (5, 21, 63, 126, 252)},
        **{"macd": macd, "macd_signal": signal, "macd_histogram": histogram},
        "rsi_14": talib.RSI(close, 14),
        "atr_14": talib.ATR(high, low, close, 14),
        "plus_di_14": talib.PLUS_DI(highs, lows, closes, 14),
        "minus_di_14": talib.MINUS_DI(highs, lows, closes, 14),
        "adx_14": talib.ADX(highs, lows, closes, 14),
        "stochastic_k_14": k,
        "stochastic_d_3": d,
        "williams_r_14": talib.WILLR(high, low, close, 14),
        "cci_20": talib.CCI(high, low, close, 20),
        "mfi_14": talib.MFI(highs, lows, closes, volume, 14),
        "obv": talib.OBV(close, volume) - volume[0],
        "bollinger_upper_20": upper,
        "bollinger_lower_20": lower,
    }
    return {name: float(values[-1]) for name, values in series.items()}

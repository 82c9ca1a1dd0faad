"""Odd histories give the right value or none, and never an infinite one or a warning."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from headgate.handlers.indicators.compute import LEAST_BARS, compute
from tests.runner.handlers.indicators.bars import block_of, made_up
from tests.runner.handlers.indicators.reference import last_values

IN_SHARES = {"volume", "volume_sma_20", "volume_sma_50", "obv"}


def figures(*histories: pd.DataFrame) -> list[Any]:
    """Compute a series for each history; every value is finite or NaN."""
    assets = {str(nth): bars for nth, bars in enumerate(histories)}
    found = pd.DataFrame(compute(block_of(assets)), index=list(assets))
    assert not np.isinf(found.to_numpy()).any()
    return [found.iloc[nth] for nth in range(len(found))]


def absent(row: Any) -> set[str]:
    return set(row.index[row.isna()])


def test_histories_of_any_length_stand_side_by_side():
    histories = [made_up(bars, seed=bars) for bars in (200, 201, 252, 253, 399, 400, 401, 402, 777)]
    found = figures(*histories)
    expected = last_values({str(nth): bars for nth, bars in enumerate(histories)})

    same: dict[str, Any] = {"check_names": False, "check_exact": False, "rtol": 1e-9, "atol": 1e-9}
    for nth, (bars, row) in enumerate(zip(histories, found, strict=True)):
        pd.testing.assert_series_equal(expected.loc[str(nth), row.index], row, **same)
        pd.testing.assert_series_equal(figures(bars)[0], row, check_names=False)


def test_a_window_longer_than_the_history_has_no_value():
    shortest, longer, longest = figures(*(made_up(bars) for bars in (200, 252, 253)))

    assert absent(shortest) == absent(longer) == {"roc_252", "volatility_252"}
    assert absent(longest) == set()


def test_too_short_a_history_is_refused():
    with pytest.raises(ValueError, match=f"at least {LEAST_BARS} bars"):
        figures(made_up(199), made_up(300))


def test_a_split_changes_nothing_but_what_prices_and_shares_count_in():
    whole = made_up(400)
    split = (
        whole.copy()
    )  # four for one, 30 bars ago: prices as traded before it are four times ours
    split.loc[:369, ["open", "high", "low", "close"]] *= 4

    one, other = figures(whole, split)

    pd.testing.assert_series_equal(one, other, check_names=False, rtol=1e-12)


def test_prices_adjusted_to_the_last_split_differ_by_its_ratio_only():
    before = made_up(400)
    after = before.copy()
    after[["open", "high", "low", "close", "adjusted_close"]] /= 4
    after["volume"] *= 4

    one, other = figures(before, after)
    ratio = (other / one).round(9)

    in_prices = {"sma_", "ema_", "macd", "atr_14", "bollinger_u", "bollinger_l", "high_", "low_"}
    for name, found in ratio.items():
        if name in IN_SHARES:
            assert found == 4, name
        elif name == "adjusted_close" or any(str(name).startswith(x) for x in in_prices):
            assert found == 0.25, name
        else:
            assert found == 1, name


def test_constant_prices_have_levels_but_no_momentum():
    bars = made_up(300)
    bars[["open", "high", "low", "close", "adjusted_close"]] = 0.1
    found = figures(bars)[0]

    for name in ("sma_200", "ema_200", "high_52w", "low_52w", "bollinger_upper_20", "sma_20"):
        assert found[name] == pytest.approx(0.1)
    for name in ("macd", "atr_14", "volatility_20", "volatility_252", "roc_5", "drawdown_252"):
        assert found[name] == pytest.approx(0, abs=1e-12)
    assert absent(found) == {
        *("rsi_14", "plus_di_14", "minus_di_14", "adx_14", "stochastic_k_14", "stochastic_d_3"),
        *("williams_r_14", "cci_20", "mfi_14", "bollinger_percent_b", "zscore_20", "zscore_60"),
    }


def test_no_volume_leaves_all_but_the_shares_of_volume():
    bars = made_up(300)
    bars["volume"] = 0.0
    found = figures(bars)[0]

    assert found[["volume", "volume_sma_20", "turnover_20", "obv"]].eq(0).all()
    assert absent(found) == {
        *("mfi_14", "cmf_20", "volume_ratio_20", "volume_ratio_50", "volume_zscore_20")
    }


def test_a_gap_counts_days_for_52_weeks_and_bars_for_all_else():
    bars = made_up(400)
    bars.loc[:199, ["high", "close", "adjusted_close", "open"]] *= 10
    later = bars.copy()
    later.loc[200:, "date"] += pd.Timedelta(days=300)

    close, apart = figures(bars, later)

    assert close["high_52w"] == bars["high"].iloc[-260:].max()
    assert apart["high_52w"] == bars["high"].iloc[200:].max()
    levels = {"high_52w", "low_52w", "from_high_52w", "from_low_52w"}
    assert {x for x in close.index if close[x] != apart[x]} <= levels


@pytest.mark.parametrize("scale", [1e-300, 1e-9, 1e9, 1e300])
def test_prices_of_any_size_come_out_finite(scale):
    bars = made_up(300)
    bars[["open", "high", "low", "close", "adjusted_close"]] *= scale
    found = figures(bars)[0]

    assert found["rsi_14"] == pytest.approx(figures(made_up(300))[0]["rsi_14"])


def test_one_asset_is_the_same_whoever_stands_beside_it():
    beside = made_up(300)
    beside[["high", "low", "close", "adjusted_close"]] = np.nan
    alone, together = figures(made_up(260))[0], figures(made_up(260), beside)[0]

    pd.testing.assert_series_equal(alone, together, rtol=1e-12)

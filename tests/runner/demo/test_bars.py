"""Bars: invented ones are the same everywhere and lie on sessions; real ones equal the file."""

from __future__ import annotations

import csv
import gzip
import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from itertools import groupby
from operator import itemgetter
from pathlib import Path

import pytest

from headgate.demo.eodhd import market
from headgate.demo.eodhd.bars import FromFolder, Synthetic

ROOT = Path(__file__).resolve().parents[3]
FRIDAY_NIGHT = datetime(2026, 11, 20, 22, tzinfo=UTC).timestamp()
CODES = ("AAPL.US", "BAC-PL.US", "BMW.XETRA", "001.F", "IPR AM.LS", "SAN.MC", "NESN.SW", "MC.PA")


def bars(code, start=None, end=None, now=FRIDAY_NIGHT):
    return [json.loads(row) for row in Synthetic().rows(code, start, end, now)]


@pytest.mark.parametrize("code", CODES)
def test_bars_lie_on_the_sessions_of_their_exchange_and_are_possible(code):
    calendar = market.calendars()[market.listings()[code].calendar]
    rows = bars(code, start="2012-01-01")

    assert [row["date"] for row in rows] == [x for x in calendar.dates if x <= "2026-11-20"]
    for row in rows:
        assert 0 < row["low"] <= min(row["open"], row["close"])
        assert max(row["open"], row["close"]) <= row["high"]
        assert row["volume"] > 0
        assert 0 < row["adjusted_close"]


def test_bars_are_the_same_in_every_process_and_for_every_range():
    command = (
        "from headgate.demo.eodhd.bars import Synthetic;"
        f"print(*Synthetic().rows('AAPL.US', '2026-10-01', None, {FRIDAY_NIGHT}), sep='\\n')"
    )
    elsewhere = subprocess.run(
        [sys.executable, "-c", command], cwd=ROOT, capture_output=True, text=True, check=True
    )

    rows = bars("AAPL.US")
    assert [json.loads(line) for line in elsewhere.stdout.splitlines()] == [
        row for row in rows if row["date"] >= "2026-10-01"
    ]
    assert bars("AAPL.US", "2026-11-02", "2026-11-04") == [
        row for row in rows if "2026-11-02" <= row["date"] <= "2026-11-04"
    ]


def test_no_two_codes_have_the_same_bars():
    closes = {code: tuple(row["close"] for row in bars(code, "2026-11-16")) for code in CODES}

    assert len(set(closes.values())) == len(CODES)


def test_history_is_two_years_unless_requested():
    assert bars("AAPL.US")[0]["date"] == "2024-11-20"


def test_a_bar_is_out_a_quarter_of_an_hour_after_the_close():
    close = datetime(2026, 11, 20, 21, tzinfo=UTC).timestamp()

    assert bars("AAPL.US", now=close + 899)[-1]["date"] == "2026-11-19"
    assert bars("AAPL.US", now=close + 900)[-1]["date"] == "2026-11-20"


def test_a_new_dividend_rewrites_the_adjusted_past_and_nothing_else():
    source = Synthetic()
    code = next(x for x in market.listings() if source.actions(x, "2026-11-16", "2026-11-20"))
    before, after = (
        bars(code, "2026-10-01", "2026-10-30", now=FRIDAY_NIGHT - days * 86_400) for days in (7, 0)
    )

    assert [row["close"] for row in before] == [row["close"] for row in after]
    assert all(
        old["adjusted_close"] > new["adjusted_close"]
        for old, new in zip(before, after, strict=True)
    )


def test_a_split_is_in_the_prices_and_not_in_the_adjusted_ones():
    source = Synthetic()
    splits = (
        (code, action)
        for code in market.listings()
        for action in source.actions(code, "2025-01-01", "2026-11-20")
        if action.ratio > 1
    )
    code, split = next(splits)
    rows = bars(code, "2025-01-01")
    at = next(number for number, row in enumerate(rows) if row["date"] == split.date)

    assert rows[at - 1]["close"] / rows[at]["close"] == pytest.approx(split.ratio, rel=0.2)
    assert rows[at - 1]["adjusted_close"] == pytest.approx(rows[at]["adjusted_close"], rel=0.2)


def test_only_listings_are_known_unless_any_ticker_will_do():
    assert not Synthetic().knows("NOSUCH.US")
    assert Synthetic(any_ticker=True).knows("NOSUCH.US")
    assert not Synthetic(any_ticker=True).knows("NO.SUCH.US")
    assert not Synthetic(any_ticker=True).knows("NOSUCH.MOON")


def test_real_bars_come_as_they_are(tmp_path):
    with gzip.open(tmp_path / "eod.csv.gz", "wt") as file:
        file.write(
            "symbol,date,open,high,low,close,volume\n"
            "BRK.B,2017-12-28,197.1,198.0,196.2,197.22,2811000\n"
            "BRK.B,2017-12-29,,,,198.22,3\n"
            "DHR,2017-12-29,92.5,91.0,93.0,92.82,0\n"
        )
    source = FromFolder(tmp_path)
    evening = datetime(2017, 12, 29, 21, 30, tzinfo=UTC).timestamp()

    assert source.rows("BRK-B.US", None, None, evening) == [
        '{"date":"2017-12-28","open":197.1,"high":198.0,"low":196.2,"close":197.22,'
        '"adjusted_close":197.22,"volume":2811000}',
        '{"date":"2017-12-29","open":null,"high":null,"low":null,"close":198.22,'
        '"adjusted_close":198.22,"volume":3}',
    ]
    assert len(source.rows("BRK-B.US", None, None, evening - 3600)) == 1
    assert source.rows("BRK-B.US", "2017-12-29", "2017-12-29", evening)[0].count("null") == 3
    assert not source.knows("AAPL.US")


def test_five_real_years_come_as_the_file_has_them():
    folder = Path(os.environ.get("HEADGATE_DATA", "")) / "us_eod_5y"
    if not os.environ.get("HEADGATE_DATA") or not folder.exists():
        pytest.skip("HEADGATE_DATA does not name a folder with us_eod_5y")
    source = FromFolder(folder)
    evening = datetime(2017, 12, 29, 21, 30, tzinfo=UTC).timestamp()
    columns = ["date", "open", "high", "low", "close", "volume"]
    with gzip.open(folder / "eod.csv.gz", "rt", newline="") as file:
        lines = csv.reader(file)
        assert next(lines) == ["symbol", *columns]
        count = 0
        for number, (symbol, rows) in enumerate(groupby(lines, key=itemgetter(0))):
            served = source.rows(symbol.replace(".", "-") + ".US", None, None, evening)
            count += len(served)
            if number % 10 and symbol not in ("BHF", "DHR", "O"):  # these three have empty cells
                continue
            expected = [[day, *(float(x) if x else None for x in rest)] for _, day, *rest in rows]
            bars = [json.loads(text) for text in served]
            assert [[bar[name] for name in columns] for bar in bars] == expected
            assert all(bar["adjusted_close"] == bar["close"] for bar in bars)

    assert count == 578_231

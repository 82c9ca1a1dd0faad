"""Bars as known on each day: they appear, are corrected, and are adjusted."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from headgate.demo.eodhd.replay import ACTIONS, BARS, Replay

BARS_TEXT = """\
symbol,date,open,high,low,close,volume,adj_close,first_seen,close_2,volume_2,adj_close_2,seen_again
A.B,2015-06-15,10,11,9,10,100,10,2015-06-15,10.5,,,2015-06-16
A.B,2015-06-16,5,6,4,5,,5,2015-06-17,,300,,2015-06-18
"""
ACTIONS_TEXT = """\
symbol,ex_date,last_cum_date,first_seen,kind,split_ratio,cum_close,cum_adj_close,factor,implied_dividend
A.B,2015-06-16,2015-06-15,2015-06-16,split,2.000000/1.000000,10,5,0.5,
A.B,2015-06-17,2015-06-16,2015-06-18,dividend,,5,4.9,0.98,0.1
"""


@pytest.fixture
def replay(tmp_path: Path) -> Replay:
    return _replay(tmp_path, BARS_TEXT)


def _replay(folder: Path, bars: str) -> Replay:
    for name, text in ((BARS, bars), (ACTIONS, ACTIONS_TEXT)):
        (folder / name).parent.mkdir()
        with gzip.open(folder / name, "wt") as file:
            file.write(text)
    return Replay(folder)


def known(replay: Replay, day: str) -> list[tuple[Any, ...]]:
    """Return date, close, adjusted close and volume as known on an evening."""
    now = datetime.fromisoformat(f"{day}T23:00").replace(tzinfo=UTC).timestamp()
    rows = [json.loads(x) for x in replay.rows("A-B.US", None, None, now)]
    return [(x["date"], x["close"], x["adjusted_close"], x["volume"]) for x in rows]


def test_a_bar_comes_when_it_was_first_seen_and_is_then_corrected_and_adjusted(replay: Replay):
    assert known(replay, "2015-06-14") == []
    assert known(replay, "2015-06-15") == [("2015-06-15", 10, 10, 100)]
    assert known(replay, "2015-06-16") == [("2015-06-15", 10.5, 5.25, 100)]
    assert known(replay, "2015-06-18") == [
        ("2015-06-15", 10.5, pytest.approx(5.145), 100),
        ("2015-06-16", 5, pytest.approx(4.9), 300),
    ]


def test_a_figure_is_a_number_however_the_file_writes_it_and_null_where_it_has_none(tmp_path: Path):
    head, first, _ = BARS_TEXT.splitlines()
    replay = _replay(
        tmp_path, "\n".join([head, first.replace("10,100,10", "010,000,10"), nothing_of(17)])
    )

    assert known(replay, "2015-06-15") == [("2015-06-15", 10, 10, 0)]
    assert known(replay, "2015-06-17")[-1] == ("2015-06-17", None, None, None)


def nothing_of(day: int) -> str:
    """Return a bar about which the file knows only its date."""
    return f"A.B,2015-06-{day},,,,,,,2015-06-{day},,,,"


def test_actions_are_reported_that_were_known_on_their_day(replay: Replay):
    (action,) = replay.actions("A-B.US", "2015-06-01", "2015-06-30")

    assert (action.date, action.ratio) == ("2015-06-16", 2.0)
    assert replay.actions("X.US", "2015-06-01", "2015-06-30") == []


def test_the_replay_s_symbols_are_what_the_exchange_lists(replay: Replay):
    assert [(x.code, x.group_key, x.symbol) for x in replay.listings()] == [("A-B.US", "US", "A-B")]
    assert (replay.knows("A-B.US"), replay.knows("A.US")) == (True, False)

"""Intervals in words, in every view and message alike."""

from __future__ import annotations

import pytest

from tests.plan import Plan


@pytest.mark.parametrize(
    ("interval", "words"),
    [
        ("20:00:00", "20 hours"),
        ("1 hour", "1 hour"),
        ("75 seconds", "1 minute 15 seconds"),
        ("36 hours", "36 hours"),
        ("1 day 00:30", "1 day 30 minutes"),
        ("14 months", "1 year 2 months"),
        ("0.25 seconds", "0.25 seconds"),
        ("0", "0 seconds"),
        (None, None),
    ],
)
def test_an_interval_is_said_in_whole_units_without_those_that_are_nothing(
    db: Plan, interval: str | None, words: str | None
):
    assert db.value("in_words", p_interval=interval) == words


def test_the_words_do_not_depend_on_the_session_s_style(db: Plan):
    db.sql("set local intervalstyle = 'iso_8601'")

    assert db.value("in_words", p_interval="P1DT2H") == "1 day 2 hours"

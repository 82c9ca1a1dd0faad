"""The stand-in's ledger and its rate limit."""

from __future__ import annotations

from datetime import date

from headgate.demo.eodhd.ledger import Ledger, Rate

MONDAY, TUESDAY = date(2026, 11, 23), date(2026, 11, 24)


def test_a_day_ends_at_its_quota_and_the_next_starts_afresh():
    ledger = Ledger(quota=21)

    assert ledger.charge("t", MONDAY, "fundamentals", "A.US", 10)
    assert ledger.charge("t", MONDAY, "fundamentals", "B.US", 10)
    assert not ledger.charge("t", MONDAY, "fundamentals", "C.US", 10)
    assert ledger.charge("t", MONDAY, "eod", "A.US", 1)
    assert not ledger.charge("t", MONDAY, "eod", "B.US", 1)
    assert ledger.charge("t", TUESDAY, "eod", "B.US", 1)

    assert ledger.as_json()["by_day"] == {"2026-11-23": 21, "2026-11-24": 1}
    assert ledger.as_json()["by_code"]["A.US"] == {"requests": 2, "units": 11}


def test_each_token_has_a_quota_of_its_own():
    ledger = Ledger(quota=1)

    assert ledger.charge("one", MONDAY, "eod", "A.US", 1)
    assert ledger.charge("two", MONDAY, "eod", "A.US", 1)
    assert ledger.as_json()["calls_by_token"] == {"one": 1, "two": 1}


def test_the_account_shows_yesterday_until_the_first_charge_of_today():
    ledger = Ledger(quota=100)
    ledger.charge("t", MONDAY, "eod", "A.US", 7)

    assert ledger.counter("t", TUESDAY) == (7, "2026-11-23")
    ledger.charge("t", TUESDAY, "eod", "A.US", 1)
    assert ledger.counter("t", TUESDAY) == (1, "2026-11-24")


def test_the_book_survives_a_restart(tmp_path):
    first = Ledger(quota=100, path=tmp_path / "ledger.json")
    first.receive()
    first.charge("t", MONDAY, "eod", "A.US", 60)
    first.answer(200)
    first.answer(404)
    first.save()

    second = Ledger(quota=100, path=tmp_path / "ledger.json")

    assert second.as_json() == first.as_json()
    assert not second.charge("t", MONDAY, "eod", "A.US", 60)


def test_the_minute_slides():
    now = 0.0
    rate = Rate(3, now=lambda: now)

    assert [rate.take() for _ in range(3)] == [0, 0, 0]
    now = 20.0
    assert rate.take() == 40.0
    assert rate.take() == 40.0, "what was turned away does not count"
    now = 60.0
    assert [rate.take() for _ in range(3)] == [0, 0, 0]
    assert rate.remaining == 0
    assert rate.take() == 60.0


def test_no_limit_is_not_a_limit():
    rate = Rate(None)

    assert not any(rate.take() for _ in range(5_000))

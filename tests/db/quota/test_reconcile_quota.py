"""Reconciling the quota with the provider's own count."""

from __future__ import annotations

from datetime import date

import pytest

from tests.db.toy import Toy


def reconcile(toy: Toy, reported: int | None, day: date | None = date(2024, 3, 5)) -> int | None:
    """Apply the provider's count; return the units used elsewhere."""
    found: int | None = toy.value(
        "reconcile_quota", p_provider="shop", p_reported=reported, p_reported_on=day
    )
    return found


def test_units_beyond_our_ledger_were_used_elsewhere(toy: Toy):
    toy.add(20)
    toy.begin()
    toy.complete(toy.claim()[0])

    assert reconcile(toy, 35) == 25
    assert toy.window()["used_elsewhere"] == 25


def test_units_used_elsewhere_are_not_granted_again(toy: Toy):
    reconcile(toy, 70)
    toy.add(50)
    toy.start()

    (row,) = toy.check()
    assert (row["planned"], row["deferred"]) == (30, 20)


def test_less_than_our_book_is_nothing(toy: Toy):
    toy.add(10)
    toy.begin()
    toy.drain()

    assert reconcile(toy, 4) == 0
    assert toy.units() == (0, 10)


def test_what_was_used_elsewhere_follows_the_latest_report(toy: Toy):
    reconcile(toy, 70)

    assert reconcile(toy, 20) == 20


def test_reserved_units_are_kept(toy: Toy):
    toy.add(90)
    toy.begin()
    reconcile(toy, 80)

    assert toy.units() == (90, 0)
    assert toy.drain() == 90


def test_a_second_delivery_is_not_charged_to_what_was_used_elsewhere(toy: Toy):
    toy.add(10)
    toy.begin()
    toy.expire(*toy.claim())
    reconcile(toy, 95)

    assert toy.drain() == 0
    assert toy.endings() == {"deferred": 10}


@pytest.mark.parametrize("day", [date(2024, 3, 4), date(2024, 3, 6), None])
def test_another_day_s_count_is_ignored(toy: Toy, day: date | None):
    reconcile(toy, 10)

    with toy.unchanged():
        assert reconcile(toy, 50, day) is None


def test_the_day_is_the_provider_s(toy: Toy):
    toy.sql("update headgate.providers set quota_zone = 'Asia/Tokyo' where name = 'shop'")
    toy.at("2024-03-05 16:00:00+00:00")

    assert reconcile(toy, 10, date(2024, 3, 5)) is None
    assert reconcile(toy, 10, date(2024, 3, 6)) == 10


@pytest.mark.parametrize("reported", [-1, None])
def test_a_count_is_a_number(toy: Toy, reported: int | None):
    with toy.unchanged(), toy.refused("HG008", "must be 0 or more"):
        reconcile(toy, reported)


def test_an_unknown_provider_is_refused(toy: Toy):
    with toy.refused("HG005"):
        toy.call("reconcile_quota", p_provider="x", p_reported=1, p_reported_on=date(2024, 3, 5))


def test_a_provider_without_quota_has_nothing_to_reconcile(toy: Toy):
    with toy.unchanged():
        assert (
            toy.value(
                "reconcile_quota", p_provider="side", p_reported=5, p_reported_on=date(2024, 3, 5)
            )
            is None
        )

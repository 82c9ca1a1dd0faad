"""set_provider: an operator changes a provider's settings."""

from __future__ import annotations

from typing import Any

import pytest

from tests.db.toy import Toy


def provider(toy: Toy) -> dict[str, Any]:
    """Return the provider's row."""
    row = toy.sql("select * from headgate.providers where name = 'shop'")[0]
    return {x: y for x, y in row.items() if x not in ("starts_at_once", "start_every")}  # derived


@pytest.mark.parametrize(
    ("name", "value", "column"),
    [
        ("base_url", "https://shop.test/v2", "base_url"),
        ("quota", 7, "quota"),
        ("quota", None, "quota"),
        ("buffer", 3, "quota_buffer"),
        ("requests_per_minute", 60, "requests_per_minute"),
        ("requests_per_minute", None, "requests_per_minute"),
        ("burst", 5, "burst"),
        ("max_in_flight", 2, "max_in_flight"),
        ("breaker_failures", 4, "breaker_failures"),
        ("breaker_share", 0.25, "breaker_share"),
        ("secret_name", "OTHER_TOKEN", "secret_name"),
    ],
)
def test_one_setting_is_changed_and_no_other(toy: Toy, name: str, value: Any, column: str):
    before = provider(toy)

    assert toy.value("set_provider", p_provider="shop", p_changes={name: value}) == 1
    assert provider(toy) == before | {column: value}


def test_intervals_are_settings_too(toy: Toy):
    toy.provider(breaker_cooldown="90 seconds", publication_lag="02:00")

    assert provider(toy)["breaker_cooldown"].total_seconds() == 90
    assert provider(toy)["publication_lag"].total_seconds() == 7200


def test_the_settings_given_are_counted(toy: Toy):
    assert toy.value("set_provider", p_provider="shop", p_changes={"quota": 5, "buffer": 1}) == 2
    assert toy.value("set_provider", p_provider="shop", p_changes={}) == 0


@pytest.mark.parametrize(
    "changes",
    [
        {"quota": -1}, {"quota": "many"}, {"quota": 1.5}, {"quota": 10**12}, {"buffer": -1},
        {"requests_per_minute": 0}, {"burst": 0}, {"max_in_flight": 0}, {"breaker_failures": 0}, {"breaker_share": 0}, {"breaker_share": 1.1}, {"breaker_share": "NaN"},
        {"base_url": "shop"}, {"base_url": "ftp://shop"}, {"base_url": "http://user:pass@shop"},
        {"base_url": "http://shop/api/.."}, {"base_url": "http://shop/api/%2E%2e/x"}, {"base_url": "http://shop/.%2F.."},
        {"base_url": "http://shop/?a=b"}, {"secret_name": "not a name"}, {"breaker_cooldown": "soon"},
        {"publication_lag": "later"}, {"publication_lag": "-1 hour"}, {"breaker_cooldown": "0"}, {"blocked_until": "tomorrow noon"}, {"blocked_until": 5},
        {"tempo": 5}, {"name": "x"}, {"quota_buffer": 5}, {"secret": "abc"}, {"auth": {}},
        {"quota": 5, "burst": 0},
    ],
    ids=str,
)  # fmt: skip
def test_a_wrong_change_is_refused_whole(toy: Toy, changes: dict[str, Any]):
    with toy.unchanged(), toy.refused("HG008"):
        toy.call("set_provider", p_provider="shop", p_changes=changes)


@pytest.mark.parametrize("changes", ["[]", '"quota"', "5", "null"])
def test_changes_are_an_object(toy: Toy, changes: str):
    with toy.refused("HG008", "must be an object"):
        toy.sql("select * from headgate.set_provider('shop', %(c)s::jsonb)", c=changes)


def test_an_unknown_provider_is_refused(toy: Toy):
    known = ", ".join(
        x["name"] for x in toy.sql("select name from headgate.providers order by name")
    )
    with toy.refused("HG005", "unknown provider: 'shp'", known):
        toy.provider("shp", quota=1)


def test_a_new_quota_holds_at_once_but_never_below_what_is_booked(toy: Toy):
    toy.add(30)
    toy.begin()
    toy.claim()

    toy.provider(quota=200)
    assert toy.window()["usable"] == 200
    toy.provider(quota=200, buffer=150)
    assert toy.window()["usable"] == 50
    toy.provider(quota=5, buffer=0)
    assert toy.window()["usable"] == 30
    assert toy.drain() == 20


def test_a_buffer_larger_than_the_quota_leaves_nothing(toy: Toy):
    toy.provider(quota=5, buffer=10)
    toy.add(1)
    toy.begin()

    assert toy.window()["usable"] == 0


def test_windows_that_have_ended_are_left_as_they_were(toy: Toy):
    toy.add(1)
    toy.begin()
    toy.later(days=1)
    toy.provider(quota=7)

    assert toy.window()["usable"] == 100


def test_blocking_by_hand_names_its_reason_and_opening_forgets_all(toy: Toy):
    toy.provider(blocked_until="2024-03-05 14:00+00")
    assert toy.breaker()["blocked_reason"] == "blocked by hand"
    toy.provider(blocked_until="2024-03-05 15:00+00", reason="maintenance")
    assert toy.breaker()["blocked_reason"] == "maintenance"

    toy.provider(blocked_until=None)
    breaker = toy.breaker()
    assert (breaker["blocked_until"], breaker["blocked_reason"], breaker["opened"]) == (
        None,
        None,
        0,
    )


def test_opening_by_hand_opens_a_window_that_was_said_to_be_used_up(toy: Toy):
    toy.add(20)
    toy.begin()
    toy.complete(toy.claim()[0], "deferred", fault="quota", block={"until": "reset"})
    assert toy.claim() == []
    toy.finish()
    toy.provider(blocked_until=None)
    toy.begin(run="r2")

    assert toy.drain() == 20


def test_opening_by_hand_closes_the_breaker(toy: Toy):
    toy.tune(max_wait="1 hour")
    toy.add(20)
    toy.begin()
    toy.complete(toy.claim()[0], "retry", fault="provider")
    assert toy.claim() == []
    toy.provider(blocked_until=None)

    assert toy.claim()[0]["call"]["probe"] is False

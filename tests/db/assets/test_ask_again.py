"""A plan makes assets due again, now or later, but never later than they already were."""

from __future__ import annotations

from datetime import timedelta

from tests.db.toy import Toy


def test_an_asset_becomes_due_when_it_is_reported(toy: Toy):
    asset, other = toy.add(2)
    toy.begin()
    toy.drain()
    toy.finish()
    at = toy.now + timedelta(hours=3)

    asked = toy.value("ask_again", p_operation="look", p_asset_ids=[asset], p_due_at=[at])
    assert asked == 1
    assert toy.state(asset)["next_due_at"] <= at
    assert toy.state(other) == toy.state(other)


def test_a_need_that_is_due_earlier_stays_due_earlier(toy: Toy):
    (asset,) = toy.add(1)
    before = toy.state(asset)["next_due_at"]
    later = toy.now + timedelta(days=3)
    toy.call("ask_again", p_operation="look", p_asset_ids=[asset], p_due_at=[later])

    assert toy.state(asset)["next_due_at"] == before


def test_a_job_in_flight_does_not_clear_what_is_asked_again(toy: Toy):
    (asset,) = toy.add(1)
    toy.begin()
    chunk = toy.claim()[0]
    toy.later(minutes=1)
    later = toy.now + timedelta(days=3)
    toy.call("ask_again", p_operation="look", p_asset_ids=[asset], p_due_at=[later])
    toy.complete(chunk, "success")

    assert toy.state(asset)["next_due_at"] == later


def test_an_unknown_operation_is_refused(toy: Toy):
    with toy.refused("HG004", "nope"):
        toy.call("ask_again", p_operation="nope", p_asset_ids=[1], p_due_at=[toy.now])

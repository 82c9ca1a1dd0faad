"""Resetting an asset makes its operations due again."""

from __future__ import annotations

from tests.db.toy import Toy


def done(toy: Toy) -> int:
    """Return an asset whose operation was done today."""
    (asset,) = toy.add(1)
    toy.begin()
    toy.drain()
    toy.finish()
    toy.later(minutes=1)
    return asset


def test_a_reset_makes_due_what_was_done(toy: Toy):
    asset = done(toy)

    assert toy.value("reset_asset", p_asset_id=asset) == 1
    assert toy.begin(run="r2")[0]["planned"] == 1


def test_only_the_operations_that_are_named_are_reset(toy: Toy):
    (book,) = toy.add(1, "W", "books")
    toy.begin("west", pipeline="library")
    toy.drain()
    toy.later(minutes=1)

    assert toy.value("reset_asset", p_asset_id=book, p_operations=["open"]) == 1
    assert toy.state(book, "open")["next_due_at"] == toy.now
    assert toy.state(book, "history")["next_due_at"] is None


def test_all_operations_are_reset_when_none_is_named(toy: Toy):
    (book,) = toy.add(1, "W", "books")

    assert toy.value("reset_asset", p_asset_id=book) == 4


def test_a_reset_brings_back_what_was_left_out_after_five_failures(toy: Toy):
    (asset,) = toy.add(1)
    for n in range(5):
        toy.begin(run=f"r{n}")
        toy.complete(toy.claim()[0], "failed")
        toy.finish(f"r{n}")
    assert toy.begin(run="r5")[0]["planned"] == 0
    toy.finish("r5")

    toy.call("reset_asset", p_asset_id=asset)
    state = toy.state(asset)
    assert (state["consecutive_failures"], state["attempts"], state["last_error"]) == (0, 0, None)
    assert toy.begin(run="r6")[0]["planned"] == 1


def test_a_reset_while_the_job_is_under_way_stays_due(toy: Toy):
    (asset,) = toy.add(1)
    toy.begin()
    (chunk,) = toy.claim()
    toy.later(minutes=1)
    toy.call("reset_asset", p_asset_id=asset)
    toy.later(minutes=1)
    toy.complete(chunk)

    assert toy.state(asset)["next_due_at"] <= toy.now
    toy.finish()
    assert toy.begin(run="r2")[0]["planned"] == 1


def test_a_reset_before_the_plan_is_done_by_it(toy: Toy):
    asset = done(toy)
    toy.call("reset_asset", p_asset_id=asset)
    toy.later(minutes=1)
    toy.begin(run="r2")
    toy.drain()

    assert toy.state(asset)["next_due_at"] > toy.now


def test_a_reset_does_not_open_what_follows_an_operation_that_has_never_succeeded(toy: Toy):
    (book,) = toy.add(1, "W", "books")
    toy.call("reset_asset", p_asset_id=book)

    assert toy.state(book, "update")["next_due_at"] is None


def test_an_unknown_asset_or_operation_is_refused(toy: Toy):
    (asset,) = toy.add(1)

    with toy.unchanged(), toy.refused("HG009", "unknown asset: 0"):
        toy.call("reset_asset", p_asset_id=0)
    with toy.unchanged(), toy.refused("HG004", "unknown operation: 'lok'", "look"):
        toy.call("reset_asset", p_asset_id=asset, p_operations=["look", "lok"])

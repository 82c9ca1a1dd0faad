"""Rows loaded from a file count as done: state, watermarks, and their consequences."""

from __future__ import annotations

from typing import Any

from tests.db.toy import Toy


def note(toy: Toy, asset_ids: list[int], operation: str, **changes: Any) -> int:
    """Note a load of ten rows for each of these assets."""
    arguments = {
        "p_operation": operation,
        "p_asset_ids": asset_ids,
        "p_records": [10] * len(asset_ids),
        "p_watermarks": ["2026-01-02T00:00:00+00:00"] * len(asset_ids),
    }
    return int(toy.value("note_load", **{**arguments, **changes}))


def test_the_need_is_met_and_what_computes_from_it_is_due(toy: Toy):
    ids = toy.add(3, "W", "books")
    before = toy.state(ids[0], "sum")

    assert note(toy, ids[:2], "history") == 2

    loaded, other = toy.state(ids[0], "history"), toy.state(ids[2], "history")
    assert (loaded["next_due_at"], str(loaded["watermark"].date())) == (None, "2026-01-02")
    assert loaded["succeeded_at"] is not None
    assert (other["watermark"], other["succeeded_at"]) == (None, None)
    assert before["next_due_at"] is None
    assert toy.state(ids[0], "sum")["next_due_at"] is not None
    assert toy.state(ids[2], "sum")["next_due_at"] is None


def test_a_watermark_never_goes_back(toy: Toy):
    ids = toy.add(1, "W", "books")
    note(toy, ids, "history")

    note(toy, ids, "history", p_watermarks=["2020-01-01T00:00:00+00:00"])

    assert str(toy.state(ids[0], "history")["watermark"].date()) == "2026-01-02"


def test_assets_in_work_and_unknown_ones_are_refused(toy: Toy):
    ids = toy.add(2)
    toy.begin()
    toy.claim()

    with toy.unchanged(), toy.refused("HG008", "0 of 2 assets can take a load", "work in flight"):
        note(toy, ids, "look")
    with toy.unchanged(), toy.refused("HG008", "0 of 1 assets"):
        note(toy, [999_999], "look")
    with toy.unchanged(), toy.refused("HG004"):
        note(toy, [], "nothing")

"""upsert_assets takes assets as one document."""

from __future__ import annotations

from typing import Any

import pytest

from tests.db.toy import Toy


def test_upserting_assets_counts_what_it_did(toy: Toy):
    first = [{"code": "A1", "group_key": "A"}, {"code": "A2", "group_key": "A"}]

    assert toy.upsert(first) == {"inserted": 2, "updated": 0, "unchanged": 0}
    second = [{"code": "A1", "group_key": "B"}, {"code": "A2", "group_key": "A"}]
    second.append({"code": "A3", "group_key": "A"})
    assert toy.upsert(second) == {"inserted": 1, "updated": 1, "unchanged": 1}


def test_an_empty_document_changes_nothing(toy: Toy):
    with toy.unchanged():
        assert toy.upsert([]) == {"inserted": 0, "updated": 0, "unchanged": 0}


def test_the_same_document_again_writes_no_row(toy: Toy):
    toy.add(5)

    with toy.unchanged():
        toy.add(5)


def test_an_asset_that_an_operator_has_put_aside_stays_aside_unless_the_document_says_so(toy: Toy):
    (asset,) = toy.add(1)
    toy.call("set_asset_active", p_asset_id=asset, p_is_active=False)

    assert toy.upsert([{"code": "A0", "group_key": "B"}])["updated"] == 1
    assert not toy.sql("select is_active from headgate.v_assets where code = 'A0'")[0]["is_active"]
    toy.upsert([{"code": "A0", "group_key": "B", "is_active": True}])
    assert toy.sql("select is_active from headgate.v_assets where code = 'A0'")[0]["is_active"]


def test_each_asset_gets_a_state_per_operation_and_opens_by_its_rule(toy: Toy):
    (book,) = toy.add(1, "W", "books")

    due = {x: toy.state(book, x)["next_due_at"] for x in ("open", "history", "update", "sum")}
    assert due == {"open": toy.now, "history": toy.now, "update": None, "sum": None}


def test_a_due_function_decides_the_first_time(toy: Toy):
    (inner,) = toy.add(1, "N", "inners")

    assert toy.state(inner, "weigh")["next_due_at"] == toy.now


@pytest.mark.parametrize(
    ("weight", "priority"),
    [(1, 55), (10, 54), (99, 54), (100_000, 50), (1e9, 50), (0.1, 56), (1e-9, 59)],
)
def test_the_weight_class_is_part_of_the_priority(toy: Toy, weight: float, priority: int):
    (asset,) = toy.add(1, weight=weight)

    assert toy.state(asset)["priority"] == priority


def test_a_new_weight_moves_the_state_and_leaves_the_rest_of_it(toy: Toy):
    (asset,) = toy.add(1)
    before = toy.state(asset)
    toy.later(hours=1)
    toy.add(1, weight=1000)

    assert toy.state(asset) == before | {"priority": 52}


@pytest.mark.parametrize(
    ("assets", "words"),
    [
        ({"code": "A"}, "array"),
        ("A", "array"),
        (["A"], "asset 1 must be an object"),
        ([{"group_key": "A"}], "asset 1 has no code"),
        ([{"code": "", "group_key": "A"}], "asset 1 has no code"),
        ([{"code": "A1"}], "asset A1 has no group_key"),
        ([{"code": "A1", "group_key": ""}], "asset A1 has no group_key"),
        ([{"code": "A1", "group_key": "A", "attributes": [1]}], "attributes must be an object"),
        ([{"code": "A1", "group_key": "A", "weight": 0}], "weight must be a positive number"),
        ([{"code": "A1", "group_key": "A", "weight": -1}], "weight must be a positive number"),
        ([{"code": "A1", "group_key": "A", "weight": "1"}], "weight must be a positive number"),
        ([{"code": "A1", "group_key": "A", "weight": 10**400}], "weight must be a positive number"),
        (
            [{"code": "A1", "group_key": "A", "is_active": "perhaps"}],
            "is_active must be true or false",
        ),
        ([{"code": "A1", "group_key": "A", "colour": "red"}], "unknown key colour"),
        ([{"code": "A1", "group_key": "A"}] * 2, "asset A1 is listed twice"),
    ],
)
def test_a_faulty_document_is_refused_whole_with_its_fault(toy: Toy, assets: Any, words: str):
    with toy.unchanged(), toy.refused("HG008", words, "nothing was changed"):
        toy.upsert([{"code": "A0", "group_key": "A"}, *assets] if len(assets) > 2 else assets)


def test_a_universe_needs_a_name(toy: Toy):
    with toy.refused("HG008", "universe"):
        toy.upsert([], universe="")


def test_an_asset_that_moves_to_another_group_finishes_where_it_is(toy: Toy):
    (asset,) = toy.add(1)
    toy.begin()
    toy.upsert([{"code": "A0", "group_key": "B"}])

    assert toy.drain() == 1
    assert toy.details(asset)[0]["step"] == "a"

"""Each order is announced to the scheduler once, when its turn comes."""

from __future__ import annotations

from tests.db.toy import Toy


def announced(toy: Toy) -> list[int]:
    return [x["order_id"] for x in toy.call("announce_order", p_pipeline="library")]


def test_without_an_order_nothing_is_announced(toy: Toy):
    assert announced(toy) == []


def test_the_oldest_order_is_announced_and_not_twice(toy: Toy):
    first = toy.value("trigger_pipeline", p_pipeline="library")
    toy.value("trigger_pipeline", p_pipeline="library")

    assert announced(toy) == [first]
    assert announced(toy) == []


def test_an_announcement_nothing_came_of_is_repeated_after_five_minutes(toy: Toy):
    first = toy.value("trigger_pipeline", p_pipeline="library")
    announced(toy)
    toy.later(minutes=6)

    assert announced(toy) == [first]


def test_an_unknown_pipeline_is_refused(toy: Toy):
    with toy.refused("HG001"):
        toy.call("announce_order", p_pipeline="nowhere")

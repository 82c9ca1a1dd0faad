"""headgate.trust_bulk: bulk calls serve assets again that they lacked before."""

from __future__ import annotations

import pytest

from tests.db.toy import Toy
from tests.planner.world import arrange, loaded, work_off

DAYS = ["2024-03-05 22:00+00", "2024-03-06 22:00+00", "2024-03-07 22:00+00", "2024-03-08 22:00+00"]


@pytest.fixture
def books(toy: Toy) -> list[int]:
    """Twelve books, the first of which two calls for its region lacked."""
    arrange(toy)
    toy.provider(quota=1_000)
    books = loaded(toy, 12, "W", "2024-03-04")
    toy.at(DAYS[0])
    work_off(toy, "r1", lacks=(books[0],))
    toy.at(DAYS[1])
    assert work_off(toy, "r2") == {"update_all": 1, "update": 1}
    toy.at(DAYS[2])
    work_off(toy, "r3", lacks=(books[0],))
    return books


def misses(toy: Toy, book: int) -> int:
    return int(toy.state(book, "update")["bulk_misses"])


def test_assets_that_two_calls_lacked_are_requested_alone(toy: Toy, books: list[int]):
    assert [misses(toy, x) for x in books[:2]] == [2, 0]
    work_off(toy, "r4")
    toy.at(DAYS[3])

    assert work_off(toy, "r5") == {"update_all": 1, "update": 1}
    assert misses(toy, books[0]) == 2
    rows = toy.call("explain_plan", p_pipeline="library", p_at="2024-03-11 22:00+00")
    told = {
        x["asset"]: x["evidence"].get("bulk_misses") for x in rows if x["operation"] == "update"
    }
    assert told == {f"W{n}": None for n in range(1, 12)} | {"W0": 2}


def test_assets_found_in_an_answer_are_trusted_again(toy: Toy, books: list[int]):
    work_off(toy, "r4")
    assert toy.value("trust_bulk", p_operation="update", p_asset_ids=books) == 1
    toy.at(DAYS[3])

    assert work_off(toy, "r5") == {"update_all": 1}
    assert toy.value("trust_bulk", p_operation="update", p_asset_ids=books) == 0


def test_a_forecast_asks_for_an_untrusted_asset_alone_each_day(toy: Toy, books: list[int]):
    work_off(toy, "r4")
    toy.at(DAYS[3])

    days = toy.call("forecast", p_pipeline="library", p_days=4)
    assert [x["units"] for x in days] == [6, 0, 0, 6], "Friday, and Monday: one call, and one alone"


def test_a_reset_makes_an_asset_trusted_again(toy: Toy, books: list[int]):
    toy.call("reset_asset", p_asset_id=books[0], p_operations=["update"])

    assert misses(toy, books[0]) == 0


def test_a_call_that_lacked_half_of_its_group_is_tried_again_after_a_month(toy: Toy):
    arrange(toy)
    toy.provider(quota=1_000)
    books = loaded(toy, 12, "W", "2024-03-04")
    half = tuple(books[:6])
    called = []
    for n, day in enumerate(DAYS):
        toy.at(day)
        called.append(work_off(toy, f"r{n}", lacks=half))
    both = {"update_all": 1, "update": 6}
    assert called == [{"update_all": 1}, both, {"update_all": 1}, both]

    toy.at("2024-04-05 22:00+00")
    toy.sql(
        "update headgate.asset_processing_state set watermark = '2024-04-04', next_due_at = %(now)s "
        "where watermark is not null and operation_id = "
        "(select operation_id from headgate.operations where name = 'update')",
        now=toy.now,
    )
    assert work_off(toy, "later") == both
    toy.at("2024-04-08 22:00+00")
    assert work_off(toy, "last") == {"update_all": 1}


def test_an_unknown_operation_is_refused(toy: Toy):
    with toy.refused("HG004", "unknown operation: 'nope'"):
        toy.value("trust_bulk", p_operation="nope", p_asset_ids=[1])

"""Calls that name some assets of a group: when they are chosen, what they cost, and each asset's result."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.db.toy import Toy
from tests.plan import Row
from tests.planner.world import answer, arrange, paged, work_off

OPEN, HISTORY = 10, 1
SIZES = st.fixed_dictionaries(
    {"units": st.integers(1, 45), "each": st.integers(0, 11), "size": st.integers(1, 6)}
)


def explained(toy: Toy, **arguments: object) -> list[Row]:
    """Explain the pipeline that opens books."""
    rows = toy.call("explain_plan", p_pipeline="library", **arguments)
    return [x for x in rows if x["operation"] == "open"]


def cheapest(books: int, units: int, each: int, size: int) -> int:
    """Try every number of books in pages; the others are opened one by one."""
    return min(
        -(-paged // size) * units + paged * each + (books - paged) * OPEN
        for paged in range(books + 1)
    )


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(west=st.integers(0, 14), east=st.integers(0, 8), loud=st.integers(0, 14), page=SIZES)
def test_no_other_choice_of_pages_is_cheaper(
    toy: Toy, west: int, east: int, loud: int, page: dict[str, int]
):
    toy.sql("savepoint example")
    try:
        arrange(toy)
        paged(toy, **page)
        toy.provider(quota=10_000)
        toy.add(min(west, loud), "W", "books", calendar="X", weight=50)
        toy.add(west - min(west, loud), "W", "books", first=100, calendar="X")
        toy.add(east, "E", "books", calendar="X")

        rows = toy.call("explain_plan", p_pipeline="library")
        assert {x["decision"] for x in rows} <= {"run"}
        assert sum(x["units"] for x in rows if x["operation"] == "history") == (west + east)
        opened = [x for x in rows if x["operation"] == "open"]
        assert len(opened) == west + east
        assert sum(x["units"] for x in opened) == cheapest(west, **page) + cheapest(east, **page)
    finally:
        toy.sql("rollback to savepoint example")


def test_the_last_books_are_opened_one_by_one_where_they_are_too_few_for_a_page(toy: Toy):
    arrange(toy)
    paged(toy)
    toy.provider(quota=200)
    toy.add(9, "W", "books", calendar="X")
    toy.add(1, "E", "books", calendar="X")

    west = [x for x in explained(toy) if x["group_key"] == "W"]
    assert sorted(x["units"] for x in west) == [0] * 6 + [10, 16, 16]
    assert {x["alternative"] for x in west} == {
        "one by one: 90 units, 48 more",
        "open_page: 45 units, 3 more",
    }
    assert {x["evidence"].get("served_by") for x in west} == {"open_page", None}
    assert work_off(toy, "r1") == {"open_page": 2, "open": 2, "history": 10}


def test_each_book_has_its_own_outcome_and_the_units_are_booked_once(toy: Toy):
    arrange(toy)
    paged(toy)
    books = toy.add(4, "W", "books", calendar="X")

    toy.begin("west", pipeline="library")
    chunks = toy.claim(chunks=5)
    called = {x["operation"]: x["urls"] for x in chunks}
    assert called["open_page"] == ["/page/W?of=W0,W1,W2,W3"]
    assert len(called["history"]) == 4
    for chunk in chunks:
        answer(toy, chunk)
    assert toy.endings() == {"success": 8}
    assert toy.units() == (0, 12 + 4 + 4)
    opened = [x for x in toy.details() if x["operation"] == "open"]
    assert sorted(x["units"] for x in opened) == [0, 0, 0, 16]
    assert all(toy.state(x, "open")["succeeded_at"] == toy.now for x in books)


def test_no_code_leaves_its_place_in_the_request_of_a_page(toy: Toy):
    arrange(toy)
    paged(toy)
    toy.upsert([{"code": x, "group_key": "W"} for x in ("A&B=1", "C,D", "../E", "F#?%2C")], "books")

    toy.begin("west", pipeline="library")
    (page,) = [x for x in toy.claim(chunks=5) if x["operation"] == "open_page"]
    path, _, codes = page["urls"][0].partition("?of=")
    assert path == "/page/W"
    assert set(codes.split(",")) == {"A%26B%3D1", "C%2CD", "..%2FE", "F%23%3F%252C"}


def test_a_book_that_its_page_lacks_stays_due_and_is_opened_alone(toy: Toy):
    arrange(toy)
    paged(toy)
    books = toy.add(4, "W", "books", calendar="X")

    work_off(toy, "r1", lacks=(books[1],))
    assert toy.endings() == {"success": 7, "deferred": 1}
    toy.add(3, "W", "books", first=10, calendar="X")
    assert work_off(toy, "r2") == {"open": 1, "open_page": 1, "history": 3}
    assert work_off(toy, "r3") == {}


def test_the_page_that_the_units_left_cannot_fill_is_smaller(toy: Toy):
    arrange(toy)
    paged(toy)
    toy.add(8, "W", "books", calendar="X")
    toy.provider(quota=20 + 12 + 2 + 2)

    assert work_off(toy, "r1") == {"open_page": 2, "history": 6}
    assert toy.units() == (0, 36)
    (waiting,) = toy.sql("select operation, assets, meaning from headgate.v_deferrals limit 1")
    assert waiting["assets"] == 2
    toy.later(days=1)
    assert work_off(toy, "r2", params={"mode": "new"}) == {"open_page": 1, "history": 2}


def test_an_account_without_the_feature_opens_books_one_by_one(toy: Toy):
    arrange(toy)
    paged(toy)
    toy.provider(features=[])
    toy.add(4, "W", "books", calendar="X")

    assert {x["alternative"] for x in explained(toy)} == {None}
    assert work_off(toy, "r1") == {"open": 4, "history": 4}


def test_a_feature_that_no_operation_names_is_refused(toy: Toy):
    paged(toy)
    with toy.refused("HG008", "unknown features"):
        toy.provider(features=["pages", "leather"])


def test_a_page_must_name_its_assets(toy: Toy):
    arrange(toy)
    paged(toy)
    toy.tune("open_page", query={})
    with toy.refused("HG020", "operation open_page is a batch call but does not name its assets"):
        toy.sql("select headgate.check_plans()")


def test_a_page_whose_lease_dies_twice_continues_one_by_one(toy: Toy):
    arrange(toy)
    paged(toy)
    toy.add(4, "W", "books", calendar="X")
    toy.begin("west", pipeline="library", mode="new")
    for _ in range(2):
        chunks = toy.claim(chunks=5)
        for chunk in chunks:
            if chunk["operation"] == "open_page":
                toy.expire(chunk)
            else:
                answer(toy, chunk)

    while chunks := toy.claim(chunks=5) or toy.claim(chunks=5):
        for chunk in chunks:
            assert chunk["operation"] == "open"
            answer(toy, chunk)
    assert toy.endings() == {"success": 8}
    assert toy.units() == (0, 2 * 16 + 40 + 4)

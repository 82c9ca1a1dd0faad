"""One call for a whole group: when it is chosen, what it costs, and each asset's result."""

from __future__ import annotations

from tests.db.toy import Toy
from tests.plan import Row
from tests.planner.world import answer, arrange, loaded, work_off


def explained(toy: Toy, **arguments: object) -> list[Row]:
    """Explain the library's updates."""
    rows = toy.call("explain_plan", p_pipeline="library", **arguments)
    return [x for x in rows if x["operation"] == "update"]


def test_the_cheaper_of_both_is_chosen_and_the_other_told(toy: Toy):
    arrange(toy)
    loaded(toy, 12, "W", "2024-03-01")
    loaded(toy, 4, "E", "2024-03-01")

    rows = explained(toy)
    west = [x for x in rows if x["group_key"] == "W"]
    east = [x for x in rows if x["group_key"] == "E"]
    assert sorted(x["units"] for x in west) == [0] * 11 + [5]
    assert [x["units"] for x in east] == [1] * 4
    assert {x["alternative"] for x in west} == {"one by one: 12 units, 7 more"}
    assert {x["alternative"] for x in east} == {"update_all: 5 units, 1 more"}
    assert work_off(toy, "r1") == {"update_all": 1, "update": 4}


def test_each_asset_has_its_own_watermark_and_details_and_the_units_are_booked_once(toy: Toy):
    arrange(toy)
    books = loaded(toy, 12, "W", "2024-03-01")

    work_off(toy, "r1")
    assert {str(toy.state(x, "update")["watermark"].date()) for x in books} == {"2024-03-04"}
    details = toy.details()
    assert [x["status"] for x in details] == ["success"] * 12
    assert sorted(x["units"] for x in details) == [0] * 11 + [5]
    assert toy.units() == (0, 5)


def test_several_missed_sessions_are_one_chunk_of_several_calls(toy: Toy):
    arrange(toy)
    loaded(toy, 12, "W", "2024-02-29")
    loaded(toy, 3, "W", "2024-02-26", first=20)

    toy.begin("west", pipeline="library")
    chunks = toy.claim(chunks=5)
    called = {x["operation"]: x["urls"] for x in chunks}
    assert called["update_all"] == ["/all/W?date=2024-03-01", "/all/W?date=2024-03-04"]
    assert len(called["update"]) == 3
    assert toy.units() == (0, 13)
    for chunk in chunks:
        answer(toy, chunk)
    assert toy.endings() == {"success": 15}


def test_an_asset_that_the_answer_lacks_stays_due_and_is_requested_alone(toy: Toy):
    arrange(toy)
    books = loaded(toy, 12, "W", "2024-03-01")

    work_off(toy, "r1", lacks=(books[3], books[7]))
    assert toy.endings() == {"success": 10, "deferred": 2}
    assert toy.step("west", pipeline="library")["status"] == "succeeded"
    assert work_off(toy, "r2") == {"update": 2}
    assert work_off(toy, "r3") == {}


def test_a_call_that_fails_is_tried_again_and_what_was_not_sent_is_given_back(toy: Toy):
    arrange(toy)
    books = loaded(toy, 12, "W", "2024-02-29")
    toy.begin("west", pipeline="library")
    (chunk,) = toy.claim()
    rows = {
        "p_request_counts": [1] + [0] * 11,
        "p_outcomes": ["retry"] * 12,
        "p_faults": ["provider"] * 12,
    }
    toy.call(
        "complete_jobs",
        p_runner="w1",
        p_chunk_id=chunk["chunk_id"],
        p_lease_no=chunk["lease_no"],
        p_asset_ids=chunk["asset_ids"],
        **rows,
    )

    assert toy.units() == (0, 5)
    (parked,) = toy.chunks("parked")
    assert (parked["calls"], parked["units"], len(parked["asset_ids"])) == (2, 10, 12)
    toy.later(minutes=6)
    (chunk,) = toy.claim()
    answer(toy, chunk)
    assert toy.units() == (0, 15)
    assert sum(x["units"] for x in toy.details()) == 15
    assert {str(toy.state(x, "update")["watermark"].date()) for x in books} == {"2024-03-04"}


def test_a_call_whose_lease_dies_twice_continues_one_by_one(toy: Toy):
    arrange(toy)
    loaded(toy, 12, "W", "2024-03-01")
    toy.begin("west", pipeline="library")
    for _ in range(2):
        (chunk,) = toy.claim()
        assert chunk["operation"] == "update_all"
        toy.expire(chunk)

    done = 0
    while chunks := toy.claim(chunks=5) or toy.claim(chunks=5):
        for chunk in chunks:
            assert chunk["operation"] == "update"
            answer(toy, chunk)
            done += len(chunk["asset_ids"])
    assert done == 12
    assert toy.endings() == {"success": 12}
    assert toy.units() == (0, 10 + 12)
    assert sum(x["units"] for x in toy.details()) == 22


def test_a_group_beyond_the_windows_units_is_deferred(toy: Toy):
    arrange(toy)
    loaded(toy, 12, "W", "2024-03-01")

    rows = explained(toy, p_quota=4)
    assert {(x["decision"], x["rank"]) for x in rows} == {("defer", 1)}
    assert rows[0]["evidence"]["units_short"] == 1


def breaker(toy: Toy, **columns: object) -> None:
    """Set the breaker of the group's call, blocked for some minutes from now."""
    toy.sql(
        "insert into headgate.breakers as k (operation_id, blocked_until, opened)"
        " select o.operation_id, %(now)s::timestamptz + make_interval(mins => %(minutes)s), %(opened)s"
        " from headgate.operations as o where o.name = 'update_all'"
        " on conflict (operation_id) do update"
        " set blocked_until = excluded.blocked_until, opened = excluded.opened",
        now=toy.now,
        **columns,
    )


def test_a_call_that_is_blocked_beyond_max_wait_is_not_waited_for(toy: Toy):
    arrange(toy)
    loaded(toy, 12, "W", "2024-03-01")

    breaker(toy, minutes=5, opened=1)
    assert {x["evidence"]["served_by"] for x in explained(toy)} == {"update_all"}
    breaker(toy, minutes=60, opened=1)
    rows = explained(toy)
    assert [x["units"] for x in rows] == [1] * 12
    assert {x["reason"] for x in rows} == {
        "a session has closed since 2024-03-01;"
        " one by one, because update_all is blocked until 2024-03-05 13:00:00"
    }
    assert work_off(toy, "r1") == {"update": 12}


def test_without_units_for_all_the_first_are_requested_one_by_one(toy: Toy):
    arrange(toy)
    loaded(toy, 12, "W", "2024-03-01")
    breaker(toy, minutes=60, opened=1)
    toy.provider(quota=7)

    assert [x["decision"] for x in explained(toy)] == ["run"] * 7 + ["defer"] * 5
    assert work_off(toy, "r1") == {"update": 7}


def test_a_call_that_cannot_be_replaced_is_waited_for(toy: Toy):
    arrange(toy)
    loaded(toy, 12, "W", "2024-03-01")
    toy.tune("update", path=None, query={}, units=0, ingest_function=None)
    breaker(toy, minutes=60, opened=1)

    assert {x["decision"] for x in explained(toy)} == {"defer"}


def test_a_call_that_keeps_failing_is_left_alone_for_a_day_while_its_provider_answers(toy: Toy):
    arrange(toy)
    loaded(toy, 12, "W", "2024-03-01")
    breaker(toy, minutes=-60, opened=2)
    assert {x["evidence"]["served_by"] for x in explained(toy)} == {"update_all"}, "asked in time"

    breaker(toy, minutes=-60, opened=5)
    (reason,) = {x["reason"] for x in explained(toy)}
    assert reason.endswith("one by one, because update_all failed until 2024-03-05 11:00:00")
    toy.sql("update headgate.breakers set opened = 1 where provider_id is not null")
    assert {x["evidence"]["served_by"] for x in explained(toy)} == {"update_all"}, "it is away"
    toy.sql("update headgate.breakers set opened = 0 where provider_id is not null")
    breaker(toy, minutes=-24 * 60, opened=5)
    assert {x["evidence"]["served_by"] for x in explained(toy)} == {"update_all"}, "tried again"


def test_assets_of_a_broken_bulk_call_are_requested_one_by_one_by_the_next_run(toy: Toy):
    arrange(toy)
    books = loaded(toy, 12, "W", "2024-03-01")
    others = toy.add(60, "A")
    toy.tune("look", chunk_size=1)
    toy.begin("west", pipeline="library")
    toy.begin("a", run="r2")
    for _ in range(40):
        for chunk in toy.claim(chunks=2):
            if chunk["operation"] == "update_all":
                toy.complete(chunk, "retry", fault="provider")
            else:
                toy.complete(chunk)
        toy.later(minutes=1)
    assert toy.endings() == {"deferred": 12, "success": len(others)}
    toy.finish("r1", "library")

    assert work_off(toy, "r3") == {"update": 12}
    assert {str(toy.state(x, "update")["watermark"].date()) for x in books} == {"2024-03-04"}


def test_units_of_a_call_to_another_provider_are_reserved_there(toy: Toy):
    arrange(toy)
    loaded(toy, 12, "W", "2024-03-01")
    toy.provider("side", quota=20)
    toy.sql(
        "update headgate.operations as o set provider_id = p.provider_id"
        " from headgate.providers as p where p.name = 'side' and o.name = 'update_all'"
    )

    toy.begin("west", pipeline="library")
    windows = toy.sql("select provider, reserved from headgate.v_quota where reserved > 0")
    assert windows == [{"provider": "side", "reserved": 5}]

"""Due work becomes planned work, as far as the budget reaches."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.db.toy import Toy


def planned(toy: Toy) -> dict[str, list[str]]:
    """Return the codes in the chunks of each operation, in order."""
    rows = toy.sql(
        "select o.name as operation, a.code from headgate.chunks as c"
        " join headgate.operations as o using (operation_id)"
        " cross join unnest(c.asset_ids) with ordinality as u (asset_id, nth)"
        " join headgate.assets as a on a.asset_id = u.asset_id order by c.chunk_id, u.nth"
    )
    codes: dict[str, list[str]] = {}
    for row in rows:
        codes.setdefault(row["operation"], []).append(row["code"])
    return codes


def put_off(toy: Toy) -> dict[tuple[str, str], tuple[int, int]]:
    """Return the deferrals: (operation, reason) to assets and units."""
    rows = toy.sql(
        "select o.name, d.reason, sum(cardinality(d.asset_ids))::int as n, sum(d.units)::int as units"
        " from headgate.planner_deferrals as d join headgate.operations as o using (operation_id)"
        " group by o.name, d.reason"
    )
    return {(x["name"], x["reason"]): (x["n"], x["units"]) for x in rows}


def test_planning_writes_chunks_holds_the_pairs_and_reserves_their_units(toy: Toy):
    assets = toy.add(3)
    toy.start()

    assert toy.check() == [
        {
            "operation": "look",
            "group_key": "A",
            "planned": 3,
            "deferred": 0,
            "units": 3,
            "reason": None,
        }
    ]
    (chunk,) = toy.chunks()
    assert (chunk["asset_ids"], chunk["state"], chunk["units"]) == (assets, "planned", 3)
    assert {toy.state(x)["chunk_id"] for x in assets} == {chunk["chunk_id"]}
    assert toy.units() == (3, 0)


def test_planning_opens_the_window_with_the_limit_less_the_buffer(toy: Toy):
    toy.provider(quota=50, buffer=20)
    toy.add(40)
    toy.start()

    (row,) = toy.check()
    assert (row["planned"], row["deferred"], row["reason"]) == (30, 10, "quota")
    assert toy.window()["usable"] == 30
    assert toy.window()["opened_at"] == datetime.fromisoformat("2024-03-05T00:00+00:00")
    assert toy.window()["closes_at"] == datetime.fromisoformat("2024-03-06T00:00+00:00")


def test_the_window_is_the_provider_s_own_day(toy: Toy):
    toy.sql("update headgate.providers set quota_zone = 'America/New_York' where name = 'shop'")
    toy.at("2024-03-10 12:00+00:00")  # a day of 23 hours
    toy.add(1)
    toy.start()
    toy.check()

    assert toy.window()["opened_at"] == datetime.fromisoformat("2024-03-10T05:00+00:00")
    assert toy.window()["closes_at"] == datetime.fromisoformat("2024-03-11T04:00+00:00")


def test_work_beyond_the_budget_stays_due_since_the_same_time(toy: Toy):
    toy.provider(quota=2)
    assets = toy.add(3)
    due = toy.state(assets[2])["next_due_at"]
    toy.later(hours=1)
    toy.start()
    toy.check()

    assert put_off(toy) == {("look", "quota"): (1, 1)}
    assert (toy.state(assets[2])["next_due_at"], toy.state(assets[2])["chunk_id"]) == (due, None)


def test_a_second_call_only_tells(toy: Toy):
    toy.provider(quota=2)
    toy.add(3)
    toy.start()
    first = toy.check()

    with toy.unchanged():
        assert toy.check() == first


def test_a_second_call_tells_the_same_when_jobs_have_ended(toy: Toy):
    toy.add(25)
    first = toy.begin()
    toy.complete(toy.claim()[0])
    toy.complete(toy.claim()[0], "retry", fault="provider")

    assert toy.check() == first


def test_nothing_is_planned_if_nothing_is_due(toy: Toy):
    toy.start()

    assert toy.check() == []
    assert toy.chunks() == []


def test_a_pair_that_another_run_holds_is_not_planned(toy: Toy):
    (one,) = toy.add(1, "W", "books")
    toy.begin("west", pipeline="library")
    toy.sql(
        "insert into headgate.pipelines (name) values ('rival');"
        "insert into headgate.pipeline_steps (pipeline_id, step, position, kind, operations)"
        " select pipeline_id, 'all', 1, 'fan_out', '{open}' from headgate.pipelines where name = 'rival'"
    )
    toy.start("r1", "rival")

    assert toy.check("r1", "rival") == []
    assert toy.enqueue("all", "r1", "rival")["status"] == "succeeded"
    assert toy.state(one, "open")["chunk_id"] is not None


# --------------------------------------------------------------------------- rank


def test_a_more_urgent_operation_goes_first(toy: Toy):
    toy.provider(quota=13)
    toy.add(3, "W", "books")
    toy.begin("west", pipeline="library")
    toy.drain(says={"watermark": "2024-03-05"})
    toy.finish(pipeline="library")
    toy.at("2024-03-06 12:00+00:00")
    toy.start("r2", "library")
    toy.check("r2", "library")

    assert planned(toy) == {"sum": ["W0"], "update": ["W0"], "open": ["W1"], "history": ["W1"]}


def test_within_a_priority_the_weighty_go_first(toy: Toy):
    toy.provider(quota=2)
    for n, weight in enumerate([1, 5, 3]):
        toy.add(1, first=n, weight=weight)
    toy.start()
    toy.check()

    assert planned(toy) == {"look": ["A1", "A2"]}


def test_within_a_priority_the_stale_go_first(toy: Toy):
    toy.provider(quota=2)
    for n in (2, 1, 0):
        toy.add(1, first=n)
        toy.later(hours=1)
    toy.start()
    toy.check()

    assert planned(toy) == {"look": ["A2", "A1"]}


def test_the_weight_s_class_goes_before_staleness(toy: Toy):
    toy.provider(quota=1)
    toy.add(1, first=0)
    toy.later(days=300)
    toy.add(1, first=1, weight=10)
    toy.start()
    toy.check()

    assert planned(toy) == {"look": ["A1"]}


# ------------------------------------------------------------------------ bundles


@pytest.mark.parametrize(
    ("quota", "granted"), [(10, 0), (11, 1), (21, 1), (22, 2), (32, 2), (33, 3)]
)
def test_a_bundle_is_granted_whole_or_not_at_all(toy: Toy, quota: int, granted: int):
    toy.provider(quota=quota)
    toy.add(3, "W", "books")
    toy.start("r1", "library")
    rows = toy.check("r1", "library")

    assert [(x["operation"], x["planned"], x["units"]) for x in rows] == [
        ("open", granted, 10 * granted),
        ("history", granted, granted),
    ]
    assert toy.units() == (11 * granted, 0)


def tie(toy: Toy, **columns: Any) -> list[int]:
    """Let a book's opening and its history have equal rank; return the books."""
    toy.tune("open", bundle=None, units=1, **columns)
    toy.tune("history", bundle=None)
    toy.provider(quota=7)
    return toy.add(6, "W", "books")


def granted_to(toy: Toy) -> dict[int, set[str]]:
    """Return what is granted to each asset."""
    found: dict[int, set[str]] = {}
    for chunk in toy.chunks():
        for asset_id in chunk["asset_ids"]:
            found.setdefault(asset_id, set()).add(chunk["operation"])
    return found


def test_where_nothing_else_decides_one_asset_complete_goes_before_two_halves(toy: Toy):
    books = tie(toy)

    plan(toy)

    assert granted_to(toy) == {x: {"open", "history"} for x in books[:3]}
    assert toy.units() == (6, 0), "the seventh unit would make half a book"


def test_work_that_was_due_earlier_goes_first(toy: Toy):
    books = tie(toy)
    toy.sql(
        "update headgate.asset_processing_state as s set next_due_at = s.next_due_at - interval '1 day'"
        " from headgate.operations as o where o.operation_id = s.operation_id and o.name = 'history'"
    )

    plan(toy)

    granted = granted_to(toy)
    assert {x for x in books if "history" in granted[x]} == {*books}
    assert sum("open" in granted[x] for x in books) == 1


def test_operations_that_are_ranked_are_not_granted_together(toy: Toy):
    books = tie(toy, priority=6)

    plan(toy)

    granted = granted_to(toy)
    assert {x for x in books if "history" in granted[x]} == {*books}


def test_an_operation_whose_breaker_is_open_keeps_no_other_back(toy: Toy):
    books = tie(toy)
    toy.provider(operation="open", blocked_until=str(toy.now + timedelta(hours=2)))

    plan(toy)

    assert granted_to(toy) == {x: {"history"} for x in books}


def test_the_rest_of_a_bundle_is_granted_alone(toy: Toy):
    (one,) = toy.add(1, "W", "books")
    toy.begin("west", pipeline="library", quota=11)
    for chunk in toy.claim(chunks=2):
        toy.complete(chunk, "success" if chunk["operation"] == "history" else "failed")
    toy.finish(pipeline="library")
    toy.later(days=1)
    toy.provider(quota=10)
    toy.start("r2", "library", p_params={"mode": "new"})
    toy.check("r2", "library")

    assert planned(toy)["open"] == ["W0"]
    assert toy.state(one, "history")["chunk_id"] is None


def test_a_bundle_over_two_providers_is_granted_by_both_or_none(toy: Toy):
    toy.sql(
        "update headgate.operations set provider_id = (select provider_id from headgate.providers"
        " where name = 'side') where name = 'history'"
    )
    toy.provider("side", quota=1)
    toy.add(3, "W", "books")
    toy.start("r1", "library")
    toy.check("r1", "library")

    assert planned(toy) == {"open": ["W0"], "history": ["W0"]}
    assert (toy.units("shop"), toy.units("side")) == ((10, 0), (1, 0))


# --------------------------------------------------------------------- parameters


def plan(toy: Toy, **params: Any) -> dict[str, list[str]]:
    """Plan the library with these parameters."""
    toy.start("r1", "library", p_params=params)
    toy.check("r1", "library")
    return planned(toy)


def test_a_run_lowers_its_own_ceiling_and_leaves_the_window_alone(toy: Toy):
    toy.add(9, "W", "books")

    assert len(plan(toy, quota=40, buffer=10)["open"]) == 2
    assert toy.window()["usable"] == 100


def test_a_run_cannot_raise_the_ceiling(toy: Toy):
    toy.add(20, "W", "books")

    assert len(plan(toy, quota=500)["open"]) == 9


def test_a_run_with_a_quota_of_nothing_plans_nothing(toy: Toy):
    toy.add(1, "W", "books")

    assert plan(toy, quota=0) == {}


def test_units_booked_before_count_against_the_runs_own_ceiling(toy: Toy):
    toy.add(15)
    toy.begin()
    toy.add(9, "W", "books")

    assert len(plan(toy, quota=40)["open"]) == 2


def test_at_most_max_assets_are_taken(toy: Toy):
    toy.add(5, "W", "books")

    chosen = plan(toy, max_new=2)
    assert chosen == {"open": ["W0", "W1"], "history": ["W0", "W1"]}
    assert put_off(toy) == {("open", "max_assets"): (3, 30), ("history", "max_assets"): (3, 3)}


def test_a_ceiling_of_assets_limits_only_the_operations_it_speaks_of(toy: Toy):
    toy.add(2, "W", "books")

    assert plan(toy, max_updates=0) == {"open": ["W0", "W1"], "history": ["W0", "W1"]}


def test_work_over_the_ceiling_costs_no_budget(toy: Toy):
    toy.provider(quota=12)
    toy.tune("update", priority=9)
    toy.add(3, "W", "books")
    toy.sql(
        "update headgate.asset_processing_state as s set next_due_at = %(now)s, priority = 95"
        " from headgate.operations as o where o.operation_id = s.operation_id and o.name = 'update'",
        now=toy.now,
    )

    assert plan(toy, max_new=1) == {"open": ["W0"], "history": ["W0"], "update": ["W0"]}


def test_chunks_are_as_large_as_the_operation_allows(toy: Toy):
    toy.add(25)
    toy.start()
    toy.check()

    assert [len(x["asset_ids"]) for x in toy.chunks()] == [10, 10, 5]


def test_a_run_may_make_chunks_smaller_but_not_larger(toy: Toy):
    toy.provider(quota=1000)
    toy.add(12, "W", "books")

    plan(toy, new_chunk=5)
    assert sorted(len(x["asset_ids"]) for x in toy.chunks()) == [2, 2, 5, 5, 5, 5]
    toy.finish(pipeline="library")
    toy.start("r2", "library", p_params={"new_chunk": 5000})
    toy.check("r2", "library")
    assert sorted(len(x["asset_ids"]) for x in toy.chunks()) == [2, 2, 10, 10]


def test_a_chunk_size_of_nothing_is_one(toy: Toy):
    toy.add(2, "W", "books")

    plan(toy, new_chunk=0)
    assert [len(x["asset_ids"]) for x in toy.chunks()] == [1, 1, 1, 1]


def test_a_chunk_never_needs_more_than_a_quarter_of_a_minute_s_requests(toy: Toy):
    toy.provider(requests_per_minute=12)
    toy.add(7)
    toy.start()
    toy.check()

    assert [len(x["asset_ids"]) for x in toy.chunks()] == [3, 3, 1]


def test_chunks_are_of_one_group(toy: Toy):
    toy.add(2, "E", "books")
    toy.add(2, "F", "books")
    toy.start("r1", "library")
    toy.check("r1", "library")

    found = {(x["operation"], x["group_key"], x["step"]): len(x["asset_ids"]) for x in toy.chunks()}
    assert found == {
        (operation, group, "east"): 2 for operation in ("open", "history") for group in ("E", "F")
    }


def test_a_mode_covers_its_operations_only(toy: Toy):
    toy.add(1, "W", "books")

    assert plan(toy, mode="known") == {}


def test_groups_are_chosen_by_key_or_by_their_other_name(toy: Toy):
    toy.add(1, "W", "books", attributes={"exchange": "NYSE"})
    toy.add(1, "W", "books", first=1, attributes={"exchange": "NASDAQ"})
    toy.add(1, "E", "books")
    toy.add(1, "F", "books")

    assert plan(toy, groups=["F", "NASDAQ"])["open"] == ["F0", "W1"]


def test_assets_are_chosen_by_code_or_symbol(toy: Toy):
    toy.upsert([{"code": x, "group_key": "W"} for x in ("A.X", "B.X", "C.X")], universe="books")

    assert plan(toy, assets="A.X, C")["open"] == ["A.X", "C.X"]


@pytest.mark.parametrize(
    "nothing",
    [
        {"assets": []},
        {"groups": []},
        {"assets": "", "groups": ""},
        {"assets": [], "groups": ["W"]},
        {"assets": ["W0"], "groups": []},
    ],
)
def test_an_empty_list_chooses_nothing(toy: Toy, nothing: dict[str, Any]):
    toy.add(2, "W", "books")

    assert plan(toy, **nothing) == {}
    (row, *_) = toy.call("explain_asset_day", p_asset="W0", p_on=toy.now.date())
    assert row["reason"] == "outside the run's parameters"


def test_a_list_that_is_not_given_chooses_all(toy: Toy):
    toy.add(2, "W", "books")

    assert len(plan(toy, assets=None, groups=None)["open"]) == 2


def test_a_group_no_step_covers_is_not_planned(toy: Toy):
    toy.add(1, "Q", "books")

    assert plan(toy) == {}


# ----------------------------------------------------------------- blocked and ended


def test_a_provider_blocked_beyond_max_wait_is_not_planned_and_costs_nothing(toy: Toy):
    toy.add(2)
    toy.provider(blocked_until="2024-03-05 12:16+00")
    toy.start()

    (row,) = toy.check()
    assert (row["planned"], row["deferred"], row["reason"]) == (0, 2, "blocked")
    assert toy.units() == (0, 0)


def test_a_provider_blocked_within_max_wait_is_planned(toy: Toy):
    toy.add(2)
    toy.provider(blocked_until="2024-03-05 12:14+00")
    toy.start()

    assert toy.check()[0]["planned"] == 2


def test_a_blocked_provider_blocks_no_other(toy: Toy):
    toy.add(1)
    toy.add(1, "O", "others")
    toy.provider(blocked_until="2024-03-07 00:00+00")
    toy.start("r1", "aside")
    toy.begin()

    assert toy.check("r1", "aside")[0]["planned"] == 1


def test_a_window_the_provider_says_is_used_up_carries_nothing(toy: Toy):
    toy.add(25)
    toy.begin()
    toy.complete(toy.claim()[0], "deferred", fault="quota", block={"until": "reset"})
    toy.finish()
    toy.start("r2")

    (row,) = toy.check("r2")
    assert (row["planned"], row["reason"]) == (0, "quota")


def test_local_work_needs_no_window(toy: Toy):
    toy.add(3, "N", "inners")
    toy.start("r1", "within")

    assert toy.check("r1", "within")[0]["planned"] == 3
    assert toy.sql("select * from headgate.quota_windows") == []


def test_two_steps_that_plan_for_themselves_add_up_their_deferrals(toy: Toy):
    toy.provider(quota=1)
    toy.add(3, "E", "books")
    toy.add(3, "W", "books")
    toy.start("r1", "library")
    toy.enqueue("west", "r1", "library")
    toy.enqueue("east", "r1", "library")

    assert put_off(toy) == {("open", "quota"): (6, 60), ("history", "quota"): (6, 6)}


def test_a_deferral_is_counted_once_however_often_it_is_planned(toy: Toy):
    toy.add(2)
    toy.begin()
    toy.complete(toy.claim()[0], "failed")
    toy.provider(quota=0)
    for _ in range(2):
        toy.call("retry_failed", p_pipeline="plain", p_run_id="r1")

    assert put_off(toy) == {("look", "quota"): (2, 2)}


def test_a_paused_execution_is_not_planned_and_an_ended_one_only_tells(toy: Toy):
    toy.add(1)
    toy.start()
    toy.call("pause_pipeline", p_pipeline="plain")
    with toy.unchanged(), toy.refused("HG013", "r1 is paused", "resume_pipeline"):
        toy.check()

    toy.call("resume_pipeline", p_pipeline="plain")
    toy.finish()
    with toy.unchanged():
        assert [x["deferred"] for x in toy.check()] == []


def test_unknown_names_are_refused(toy: Toy):
    with toy.refused("HG001", "unknown pipeline: 'plan'", "plain"):
        toy.check("r1", "plan")
    with toy.refused("HG002", "no execution 'r9'"):
        toy.check("r9")

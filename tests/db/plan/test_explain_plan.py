"""EXPLAIN for the plan: it equals what a run then does, and changes nothing."""

from __future__ import annotations

from typing import Any

import pytest

from tests.db.plan.test_left_out import LEAVE_OUT
from tests.db.toy import Toy
from tests.planner.world import arrange, loaded


def explain(toy: Toy, pipeline: str = "library", **arguments: Any) -> list[dict[str, Any]]:
    """Explain a pipeline, most urgent first."""
    return toy.call("explain_plan", p_pipeline=pipeline, **arguments)


def crowd(toy: Toy) -> None:
    """Books of two regions, some done, some with high weight, some failing, with a budget too small for all."""
    toy.add(6, "W", "books")
    toy.begin("west", pipeline="library")
    toy.drain(says={"watermark": "2024-03-04"})
    toy.finish(pipeline="library")
    toy.at("2024-03-06 12:00+00:00")
    toy.add(4, "W", "books", first=6, weight=50, attributes={"exchange": "X"})
    toy.later(hours=2)
    toy.add(5, "E", "books", weight=2)
    toy.add(3, "F", "books", weight=2000)
    toy.add(1, "Q", "books")
    toy.sql(
        LEAVE_OUT, assets=toy.add(2, "W", "books", first=20) + toy.add(1, "E", "books", first=20)
    )


PARAMS: list[dict[str, Any]] = [
    {},
    {"quota": 60},
    {"quota": 60, "buffer": 25},
    {"quota": 0},
    {"max_new": 3},
    {"max_new": 0, "max_updates": 2},
    {"mode": "new", "new_chunk": 2},
    {"mode": "known"},
    {"groups": ["F", "X"]},
    {"assets": ["W0", "W7", "E1"], "quota": 15},
]


@pytest.mark.parametrize("params", PARAMS, ids=str)
def test_the_answer_equals_what_is_then_planned_row_for_row(toy: Toy, params: dict[str, Any]):
    crowd(toy)
    explained = explain(toy, p_params=params)
    toy.start("r2", "library", p_params=params)
    summary = toy.check("r2", "library")

    run = [
        (x["operation"], x["asset"], x["group_key"]) for x in explained if x["decision"] == "run"
    ]
    deferred = [
        (x["operation"], x["asset"], x["group_key"]) for x in explained if x["decision"] == "defer"
    ]
    held = toy.sql(
        "select o.name, a.code, c.group_key from headgate.chunks as c"
        " join headgate.operations as o using (operation_id)"
        " cross join unnest(c.asset_ids) as u (asset_id)"
        " join headgate.assets as a on a.asset_id = u.asset_id"
    )
    put_off = toy.sql(
        "select o.name, a.code, d.group_key from headgate.planner_deferrals as d"
        " join headgate.operations as o using (operation_id)"
        " cross join unnest(d.asset_ids) as u (asset_id)"
        " join headgate.assets as a on a.asset_id = u.asset_id"
        " join headgate.process_executions as e using (execution_id) where e.run_id = 'r2'"
    )
    assert sorted(run) == sorted(tuple(x.values()) for x in held)
    assert sorted(deferred) == sorted(tuple(x.values()) for x in put_off)
    assert sum(x["units"] for x in explained if x["decision"] == "run") == sum(
        x["units"] for x in summary
    )


def test_asking_changes_nothing(toy: Toy):
    crowd(toy)

    with toy.unchanged():
        explain(toy)
        explain(toy, p_at="2024-05-01", p_quota=7, p_params={"mode": "new"})
        toy.call("explain_summary", p_pipeline="library")


def test_each_planned_job_has_a_rank_and_a_sentence(toy: Toy):
    toy.provider(quota=11)
    toy.add(2, "W", "books")

    rows = explain(toy)
    assert [(x["asset"], x["operation"], x["decision"], x["rank"]) for x in rows] == [
        ("W0", "history", "run", 1),
        ("W0", "open", "run", 1),
        ("W1", "history", "defer", 2),
        ("W1", "open", "defer", 2),
    ]
    assert rows[0]["reason"] == "never done"
    assert rows[3]["reason"] == (
        "never done; quota exhausted before this asset's rank: earliest 2024-03-06 00:00:00"
    )
    assert rows[3]["evidence"]["units_left"] == 11
    assert rows[3]["evidence"]["units_ranked_before"] == 11
    assert rows[3]["run_at"] == toy.window_closes()


def test_work_over_a_ceiling_waits_for_the_window_if_no_units_are_left(toy: Toy):
    toy.provider(quota=33)
    toy.add(4, "W", "books")

    def earliest(max_new: int) -> list[Any]:
        rows = explain(toy, p_params={"max_new": max_new})
        return [x["run_at"] for x in rows if x["operation"] == "open" and x["decision"] == "defer"]

    assert earliest(2) == [toy.now, toy.now]
    assert earliest(3) == [toy.window_closes()]


def test_each_part_of_a_bundle_shows_the_units_short(toy: Toy):
    toy.provider(quota=15)
    toy.add(2, "W", "books")

    short = [x["evidence"].get("units_short") for x in explain(toy)]
    assert short == [None, None, 7, 7]


def test_another_time_is_asked_about(toy: Toy):
    toy.add(2)
    toy.begin()
    toy.drain()

    assert explain(toy, "plain") == []
    rows = explain(toy, "plain", p_at="2024-03-06 12:00+00")
    assert [x["decision"] for x in rows] == ["run", "run"]
    assert rows[0]["reason"] == "older than 1 day"


def test_another_day_s_window_is_empty_of_today_s_units(toy: Toy):
    toy.provider(quota=3)
    toy.add(2)
    toy.begin()
    toy.add(3, first=2)

    assert [x["decision"] for x in explain(toy, "plain")] == ["run", "defer", "defer"]
    later = explain(toy, "plain", p_at="2024-03-06 00:00+00")
    assert [x["decision"] for x in later] == ["run", "run", "run"]


def test_another_quota_is_asked_about(toy: Toy):
    toy.add(3)

    assert [x["decision"] for x in explain(toy, "plain", p_quota=1)] == ["run", "defer", "defer"]
    assert [x["decision"] for x in explain(toy, "plain", p_quota=0)] == ["defer"] * 3


def test_a_provider_without_a_quota_sets_no_end(toy: Toy):
    toy.tune("peek", units=3)
    toy.add(4, "A", "others")

    assert [(x["decision"], x["units"]) for x in explain(toy, "aside")] == [("run", 3)] * 4


def test_a_ceiling_is_reported(toy: Toy):
    toy.add(1, "W", "books")

    rows = explain(toy, p_params={"max_new": 0})
    assert {x["reason"] for x in rows} == {"never done; the run's asset limit is reached"}


def test_a_blocked_provider_is_reported(toy: Toy):
    toy.add(1)
    toy.provider(blocked_until="2024-03-05 18:00+00")

    (row,) = explain(toy, "plain")
    assert row["decision"] == "defer"
    assert row["reason"] == "never done; its provider is blocked until 2024-03-05 18:00:00"


def test_why_a_pair_is_due_is_reported(toy: Toy):
    crowd(toy)
    reset = toy.value("find_asset", p_universe="books", p_code="W0")
    toy.call("reset_asset", p_asset_id=reset, p_operations=["open"])

    said = {
        (x["asset"], x["operation"]): x["reason"].partition(";")[0]
        for x in explain(toy, p_quota=500)
    }
    assert said["W0", "open"] == "asked for again"
    assert said["W0", "update"] == "a session has closed since 2024-03-04"
    assert said["W0", "sum"] == "never done"
    assert said["W6", "open"] == "never done"


def test_the_session_that_should_be_there_is_reported(toy: Toy):
    arrange(toy, holidays=("2024-03-04",))
    loaded(toy, 2, "W", "2024-02-29")

    assert [x["evidence"]["expected_session"] for x in explain(toy)] == ["2024-03-01"] * 2
    assert {x["alternative"] for x in explain(toy)} == {"update_all: 5 units, 3 more"}


class TestSkips:
    """Assets and operations that are not due are listed only on request."""

    def skip(self, toy: Toy, asset: int, operation: str = "look", **arguments: Any) -> str:
        """Return why an asset's operation is skipped."""
        pipeline = "plain" if operation == "look" else "library"
        rows = explain(toy, pipeline, p_assets=[asset], **arguments)
        (reason,) = [
            x["reason"] for x in rows if (x["operation"], x["decision"]) == (operation, "skip")
        ]
        return str(reason)

    def test_what_is_not_due_is_not_listed_without_a_request(self, toy: Toy):
        toy.add(2)
        toy.begin()

        assert explain(toy, "plain") == []

    def test_an_asset_that_is_due_is_explained_alone(self, toy: Toy):
        toy.provider(quota=1)
        _, second = toy.add(2)

        (row,) = explain(toy, "plain", p_assets=[second])
        assert (row["asset"], row["decision"]) == ("A1", "defer")

    def test_a_pair_that_a_run_holds_is_said_to_be(self, toy: Toy):
        (asset,) = toy.add(1)
        toy.begin()

        assert self.skip(toy, asset).startswith("held by execution r1 (chunk ")

    def test_a_pair_that_is_due_later_says_when(self, toy: Toy):
        (asset,) = toy.add(1)
        toy.begin()
        toy.drain()

        assert self.skip(toy, asset) == "not due before 2024-03-06 12:00:00"

    def test_a_pair_that_is_done_for_good_says_so(self, toy: Toy):
        (book,) = toy.add(1, "W", "books")
        toy.begin("west", pipeline="library")
        toy.drain(says={"records": 0})

        assert self.skip(toy, book, "open") == "done"
        assert self.skip(toy, book, "sum") == "its inputs have not changed yet"

    def test_unchanged_inputs_are_a_reason(self, toy: Toy):
        (book,) = toy.add(1, "W", "books")
        toy.begin("west", pipeline="library")
        toy.drain()
        toy.finish(pipeline="library")
        toy.begin("sum", run="r2", pipeline="library")
        toy.drain()

        assert self.skip(toy, book, "sum") == "its inputs have not changed since"

    def test_a_pair_that_waits_for_its_leader_says_so(self, toy: Toy):
        (book,) = toy.add(1, "W", "books")

        assert self.skip(toy, book, "update") == "opens when history has succeeded"

    def test_an_asset_that_is_not_active_is_said_to_be_so(self, toy: Toy):
        (asset,) = toy.add(1)
        toy.call("set_asset_active", p_asset_id=asset, p_is_active=False)

        assert self.skip(toy, asset) == "the asset is not active"

    def test_a_pair_outside_the_parameters_says_so(self, toy: Toy):
        (book,) = toy.add(1, "W", "books")

        said = self.skip(toy, book, "open", p_params={"mode": "known"})
        assert said == "outside the run's parameters"


def test_wrong_questions_are_refused(toy: Toy):
    toy.add(1, "W", "books")

    with toy.refused("HG001", "unknown pipeline: 'x'"):
        explain(toy, "x")
    with toy.refused("HG008", "the quota cannot be negative: -1"):
        explain(toy, p_quota=-1)
    with toy.refused("HG007", "no parameter 'tempo'", "max_new"):
        explain(toy, p_params={"tempo": 1})
    with toy.refused("HG009"):
        explain(toy, p_params={"assets": ["nobody"]})

"""Pairs skipped after failures: a run reports them, and a step with nothing else to do has failed."""

from __future__ import annotations

from typing import Any, LiteralString

from tests.db.executions import graph as g
from tests.db.toy import Toy

LEAVE_OUT: LiteralString = """
update headgate.asset_processing_state
set consecutive_failures = 5, next_due_at = null, last_error = 'it went wrong', last_failed_at = headgate.clock()
where asset_id = any (%(assets)s)
"""
MEANING = "left out after 5 failures in a row, until it is reset"


def fail(toy: Toy, times: int = 5) -> None:
    """Let five runs of the plain pipeline fail."""
    for n in range(times):
        toy.begin("a", "b", run=f"f{n}")
        toy.drain(outcome="failed")
        assert toy.finish(f"f{n}")["status"] == "failed"


def left_out(toy: Toy, run: str = "r1") -> list[dict[str, Any]]:
    """Return a run's deferrals because of failures."""
    return toy.sql(
        "select operation, group_key, assets, units, asset_ids, meaning from headgate.v_deferrals"
        " where run_id = %(run)s and reason = 'failures'",
        run=run,
    )


def test_a_step_whose_every_pair_is_left_out_has_failed(toy: Toy):
    (asset,) = toy.add(1)
    fail(toy)

    (row,) = toy.begin("a", "b")
    assert (row["planned"], row["deferred"], row["reason"]) == (0, 1, "failures")
    assert (toy.step("a")["status"], toy.step("a")["planned"]) == ("failed", 0)
    assert toy.step("b")["status"] == "succeeded"  # it has nothing to do
    assert toy.finish()["status"] == "failed"
    assert left_out(toy) == [
        {"operation": "look", "group_key": "A", "assets": 1, "units": 1, "asset_ids": [asset],
         "meaning": MEANING},
    ]  # fmt: skip


def test_later_steps_do_not_run(toy: Toy):
    g.graph(
        toy,
        analyze={"operations": ["look"], "group_keys": ["A"]},
        write={"operations": ["look"], "group_keys": ["B"], "depends_on": ["analyze"]},
    )
    toy.sql(LEAVE_OUT, assets=toy.add(1))
    toy.add(1, "B")
    g.start(toy)
    g.work(toy)

    assert g.steps(toy) == {"analyze": "failed", "write": "skipped"}
    assert g.status(toy) == "failed"


def test_such_a_step_says_why_in_the_words_of_the_last_error(toy: Toy):
    toy.sql(LEAVE_OUT, assets=toy.add(1))
    toy.begin()

    (error,) = toy.call("step_errors", p_pipeline="plain", p_run_id="r1", p_step="a")
    assert error == {
        "asset": "A0", "operation": "look", "status": "left out", "error": "it went wrong",
    }  # fmt: skip


def test_some_assets_that_are_left_out_are_deferred_and_fail_nothing(toy: Toy):
    assets = toy.add(3)
    toy.sql(LEAVE_OUT, assets=assets[:1])

    (row,) = toy.begin()
    assert (row["planned"], row["deferred"], row["reason"]) == (2, 1, "failures")
    toy.drain()
    assert toy.finish()["status"] == "succeeded"
    assert left_out(toy)[0]["asset_ids"] == assets[:1]


def test_pairs_that_are_not_due_do_not_count_as_left_out(toy: Toy):
    assets = toy.add(3)
    toy.begin()
    toy.drain()
    toy.finish()
    toy.sql(LEAVE_OUT, assets=assets[:1])

    toy.begin(run="r2")
    assert toy.step(run="r2")["status"] == "succeeded"
    assert left_out(toy, "r2")[0]["assets"] == 1


def test_pairs_beyond_the_budget_do_not_count_as_left_out(toy: Toy):
    assets = toy.add(3)
    toy.sql(LEAVE_OUT, assets=assets[:1])
    toy.provider(quota=0)

    toy.begin()
    assert toy.step()["status"] == "succeeded"


def test_pairs_that_wait_for_a_missing_input_do_not_count(toy: Toy):
    """A book's update requires its history: if the history is skipped, nothing of the book can run."""
    books = toy.add(2, "W", "books")
    toy.sql(
        LEAVE_OUT + " and operation_id in"
        " (select operation_id from headgate.operations where name in ('open', 'history'))",
        assets=books,
    )

    toy.begin("west", pipeline="library")
    assert toy.step("west", pipeline="library")["status"] == "failed"


def test_only_what_the_run_s_parameters_choose_counts(toy: Toy):
    books = toy.add(2, "W", "books")
    toy.sql(LEAVE_OUT, assets=books[:1])

    toy.begin("west", pipeline="library", assets=["W1"])
    assert left_out(toy) == []
    assert toy.step("west", pipeline="library")["planned"] == 2
    toy.finish(pipeline="library")
    toy.begin("west", pipeline="library", run="r2", assets=["W0"])
    assert toy.step("west", "r2", "library")["status"] == "failed"


def test_an_asset_that_is_not_active_is_in_nobody_s_scope(toy: Toy):
    (asset,) = toy.add(1)
    toy.sql(LEAVE_OUT, assets=[asset])
    toy.call("set_asset_active", p_asset_id=asset, p_is_active=False)

    assert toy.begin() == []
    assert toy.step()["status"] == "succeeded"


def test_a_retry_runs_what_was_left_out(toy: Toy):
    """Five failures may have been the service's fault: an operator who says `again` includes these."""
    assets = toy.add(3)
    toy.sql(LEAVE_OUT, assets=assets)
    toy.begin()
    toy.finish()

    row = toy.row("retry_failed", p_pipeline="plain", p_run_id="r1")
    assert (row["planned"], row["sent"]) == (3, 1)
    assert toy.drain() == 3
    step = toy.step()
    assert (step["status"], step["planned"], step["succeeded"]) == ("succeeded", 3, 3)
    assert toy.finish()["status"] == "succeeded"
    assert {toy.state(x)["consecutive_failures"] for x in assets} == {0}


def test_some_of_them_are_counted_when_a_retry_runs_them(toy: Toy):
    assets = toy.add(4)
    toy.sql(LEAVE_OUT, assets=assets[:1])
    toy.begin()
    (chunk,) = toy.claim()
    toy.complete(chunk, "failed", assets[1:2])
    toy.complete(chunk, "success", assets[2:])

    toy.row("retry_failed", p_pipeline="plain", p_run_id="r1")
    toy.drain()
    step = toy.step()
    assert (step["planned"], step["succeeded"], step["failed"]) == (4, 4, 0)


def test_a_reset_brings_them_back_into_the_plan(toy: Toy):
    (asset,) = toy.add(1)
    toy.sql(LEAVE_OUT, assets=[asset])
    toy.call("reset_asset", p_asset_id=asset)

    assert toy.begin()[0]["planned"] == 1
    assert left_out(toy) == []


def test_a_new_input_brings_them_back_into_the_plan(toy: Toy):
    (book,) = toy.add(1, "W", "books")
    toy.sql(
        LEAVE_OUT + " and operation_id = (select operation_id from headgate.operations where name = 'sum')",
        assets=[book],
    )  # fmt: skip
    toy.begin("west", pipeline="library")
    toy.drain()

    assert toy.enqueue("sum", pipeline="library")["planned"] == 0  # it was planned before
    toy.finish(pipeline="library")
    assert toy.begin("sum", run="r2", pipeline="library")[-1]["planned"] == 1


def test_explain_tells_what_a_run_would_say(toy: Toy):
    assets = toy.add(2)
    toy.sql(LEAVE_OUT, assets=assets[:1])

    asked = {"p_pipeline": "plain"}
    out, runs = sorted(toy.call("explain_plan", **asked), key=lambda x: x["asset"])
    assert (out["decision"], runs["decision"]) == ("defer", "run")
    assert out["reason"] == f"never done; {MEANING}: it went wrong"
    assert (out["evidence"]["failures"], out["rank"], out["run_at"]) == (5, None, None)
    assert toy.call("explain_plan", **asked, p_assets=assets[:1]) == [out]
    totals = toy.call("explain_totals", **asked)
    assert [(x["decision"], x["reason"], x["count"]) for x in totals] == [
        ("run", "never done", 1),
        ("defer", MEANING, 1),
    ]
    summary = toy.call("explain_summary", **asked)
    assert {x["decision"]: x["count"] for x in summary} == {"run": 1, "defer": 1}


def test_a_forecast_counts_assets_left_out_as_deferred_each_day(toy: Toy):
    assets = toy.add(3)
    toy.sql(LEAVE_OUT, assets=assets[:1])

    days = toy.call("forecast", p_pipeline="plain", p_days=2)
    assert [(x["new"], x["updated"], x["deferred"], x["backlog"]) for x in days] == [
        (2, 0, 1, 0),
        (0, 2, 1, 0),
    ]


def test_pairs_left_out_are_found_without_reading_what_is_not_due(toy: Toy):
    toy.add(3000)
    toy.sql("update headgate.asset_processing_state set next_due_at = null")
    toy.sql("analyze headgate.asset_processing_state")

    plan = toy.sql(
        "explain select from headgate.asset_processing_state as s"
        " where s.operation_id = 1 and headgate._is_left_out(s)"
    )
    assert "asset_processing_state_failures_idx" in str(plan)

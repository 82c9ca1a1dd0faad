"""Commands of operators on pipelines and runs, and their output."""

from __future__ import annotations

import pytest

from tests.plan import Plan
from tests.runner.cli.commands.conftest import Ask
from tests.runner.small_plan import name_the_date, start, status, write_plan

ON_RUNS = (["cancel", "{}"], ["skip", "{}", "all"], ["mark", "{}", "all", "failed"])


def named(arguments: list[str], run_id: str) -> list[str]:
    """Put a run's name into a command."""
    return [x.format(run_id) for x in arguments]


def finish(plan: Plan) -> None:
    """Carry the run to its end."""
    for _ in range(3):
        plan.advance()
        for chunk in plan.call("claim_jobs", p_runner="w1", p_max_chunks=9):
            if chunk["chunk_id"] is not None:
                plan.call(
                    "complete_jobs",
                    p_runner="w1",
                    p_chunk_id=chunk["chunk_id"],
                    p_lease_no=chunk["lease_no"],
                    p_asset_ids=chunk["asset_ids"],
                    p_outcomes=["success"] * len(chunk["asset_ids"]),
                )
    assert status(plan, "monday-1")["status"] == "succeeded"


def test_a_pipeline_is_paused_and_resumed(shown: Ask, asked: Ask, monday: Plan):
    assert shown("pause", "small_shop").startswith(
        "small_shop is paused: 1 run held, 1 chunk held\nnext: "
    )
    assert status(monday, "monday-1")["status"] == "paused"
    assert "headgate resume small_shop" in shown("status", "monday-1")
    assert asked("pause", "small_shop") == {
        "pipeline": "small_shop",
        "is_paused": True,
        "paused_executions": 0,
        "paused_chunks": 0,
    }

    assert shown("resume", "small_shop").startswith(
        "small_shop is resumed: 1 run resumed, 1 chunk sent\nnext: "
    )
    assert status(monday, "monday-1")["status"] == "running"
    assert asked("resume", "small_shop")["resumed_executions"] == 0


@pytest.mark.parametrize("command", ["pause", "resume"])
def test_an_unknown_pipeline_is_refused(refused: Ask, shop: Plan, command: str):
    said = refused(command, "small_shpo")

    assert said.startswith(
        "error: unknown pipeline: 'small_shpo' [HG001]\nhint: did you mean small"
    )


def test_a_run_is_cancelled_and_says_how_its_jobs_run_again(shown: Ask, asked: Ask, monday: Plan):
    text = shown("cancel", "monday-1")

    assert text.startswith("small_shop monday-1: the run is cancelled; 3 jobs cancelled\nnext: ")
    assert "headgate retry monday-1 --pipeline small_shop" in text
    again = asked("cancel", "monday-1")
    assert (again["run_id"], again["status"], again["cancelled"]) == ("monday-1", "cancelled", 0)


def test_a_run_that_has_ended_is_not_cancelled(refused: Ask, monday: Plan):
    finish(monday)

    said = refused("cancel", "monday-1")
    assert "monday-1 of pipeline small_shop has ended: succeeded; nothing was cancelled" in said
    assert "[HG014]\nhint: headgate status monday-1 shows it" in said


def test_a_step_is_skipped(shown: Ask, monday: Plan):
    text = shown("skip", "monday-1", "all", "--pipeline", "small_shop")

    assert "step all ended as skipped; 3 jobs cancelled" in text
    assert status(monday, "monday-1")["skipped"] == 3


@pytest.mark.parametrize("ended", ["succeeded", "skipped", "failed"])
def test_a_step_is_marked(asked: Ask, monday: Plan, ended: str):
    found = asked("mark", "monday-1", "all", ended)

    assert (found["step"], found["status"], found["cancelled"]) == ("all", ended, 3)


def test_a_step_that_succeeded_stays_so(refused: Ask, monday: Plan):
    finish(monday)

    for arguments in (["skip", "monday-1", "all"], ["mark", "monday-1", "all", "failed"]):
        said = refused(*arguments)
        assert "step all of run monday-1 has ended: succeeded; it stays so [HG014]\nhint: " in said


def test_a_step_of_a_cancelled_run_is_refused(refused: Ask, shown: Ask, monday: Plan):
    shown("cancel", "monday-1")

    assert "has ended: cancelled [HG014]\nhint: " in refused("skip", "monday-1", "all")


@pytest.mark.parametrize("arguments", ON_RUNS, ids=" ".join)
def test_an_unknown_run_is_refused_with_similar_names(
    refused: Ask, monday: Plan, arguments: list[str]
):
    said = refused(*named(arguments, "mondya-1"))

    assert "there is no run 'mondya-1'" in said
    assert "[HG002]\nhint: did you mean monday-1?" in said


@pytest.mark.parametrize("arguments", ON_RUNS[1:], ids=" ".join)
def test_an_unknown_step_is_refused(refused: Ask, monday: Plan, arguments: list[str]):
    step = ["al" if x == "all" else x for x in named(arguments, "monday-1")]

    assert "unknown step: 'al' [HG003]\nhint: did you mean all?" in refused(*step)


def test_a_status_that_a_step_cannot_have_is_wrong_usage(refused: Ask, monday: Plan):
    said = refused("mark", "monday-1", "all", "done", code=2)

    assert "'done' is not one of" in said and "succeeded" in said


def test_a_run_s_name_that_several_pipelines_have_needs_the_pipeline(
    refused: Ask, shown: Ask, monday: Plan
):
    write_plan(monday, provider="market", assets=1)
    start(monday, "monday-1", provider="market")

    assert "[HG008]\nhint: choose one: --pipeline" in refused("cancel", "monday-1")
    assert "small_market monday-1" in shown("cancel", "monday-1", "--pipeline", "small_market")


def test_operators_actions_are_recorded_with_the_command_used(shown: Ask, monday: Plan):
    shown("cancel", "monday-1")

    (action,) = monday.sql("select * from headgate.v_operator_actions where action ~ 'cancel'")
    assert action["client"] == "headgate cancel"


def test_a_back_fill_says_what_it_queued_and_how_it_continues(
    shown: Ask, asked: Ask, refused: Ask, shop: Plan
):
    name_the_date(shop)
    days = ("small_shop", "2024-02-28", "2024-03-01")
    said = shown("backfill", *days)

    assert said.startswith(
        "small_shop: 3 runs queued for 3 days; 0 done before, 0 queued or under way before\nnext: "
    )
    assert "headgate worker" in said
    counts = {"pipeline": "small_shop", "days": 3, "queued": 0, "done": 0, "waiting": 3}
    assert asked("backfill", *days) == counts

    assert "confirm more than 100: --yes" in refused(
        "backfill", "small_shop", "1996-10-18", "2024-03-04"
    )
    assert "10,000 runs queued" in shown(
        "backfill", "small_shop", "1996-10-15", "2024-03-04", "--yes"
    )


def test_an_invalid_day_is_wrong_usage(refused: Ask, shop: Plan):
    said = refused("backfill", "small_shop", "yesterday", "2024-03-04", code=2)

    assert "does not match the format" in " ".join(said.replace("│", " ").split())


def test_whole_runs_and_steps_that_wait_are_in_plan_and_forecast(
    shown: Ask, asked: Ask, monday: Plan
):
    said = "the step has failed and is run again: retry 1 of 3"
    monday.sql(
        "update headgate.process_steps set status = 'pending', retries = 3, retried = 1,"
        " retry_at = headgate.clock() + interval '5 minutes' where step = 'all'"
    )
    for command in ("explain", "forecast"):
        (row,) = asked(command, "small_shop")["steps"]
        assert (row["run_id"], row["step"], row["decision"]) == ("monday-1", "all", "defer")
        assert row["reason"] == said
        assert said in shown(command, "small_shop")
    assert f"{said}; not before " in shown("status", "monday-1")


def test_a_run_that_is_queued_is_taken_out(shown: Ask, asked: Ask, refused: Ask, shop: Plan):
    name_the_date(shop)
    shown("backfill", "small_shop", "2024-02-28", "2024-02-29")

    said = shown("cancel", "backfill-2024-02-28")
    assert said == "small_shop backfill-2024-02-28: taken out of the queue; it had not started\n"
    assert "there is no run" in refused("cancel", "backfill-2024-02-28")
    done = asked("cancel", "backfill-2024-02-29", "--pipeline", "small_shop")
    assert done["status"] == "taken out of the queue"
    assert shop.sql("select from headgate.v_queued_runs") == []

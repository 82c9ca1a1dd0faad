"""The due rule run: due once in every execution, whatever succeeded or failed before."""

from __future__ import annotations

import pytest

from tests.db.declare.conftest import Shelf
from tests.db.toy import Toy

PROVIDER = "put_provider('bell', 'http://bell.test', auth => '{\"in\": \"none\"}')"
RING = "put_operation('ring', due => 'run', provider => 'bell', request => 'POST /ring')"
MORNING = ("put_pipeline('morning')", "put_step('morning', 'ring', operations => '{ring}')")
EVENING = ("put_pipeline('evening')", "put_step('evening', 'ring', operations => '{ring}')")


@pytest.fixture
def bell(toy: Toy) -> Toy:
    """Two pipelines with one operation that is due in every execution."""
    shelf = Shelf(toy)
    shelf.put(PROVIDER, RING, *MORNING, *EVENING, plan="bell")
    toy.call("check_plans")
    return toy


def ring(toy: Toy) -> int:
    """Return the implied asset."""
    asset: int = toy.scalar("select asset_id from headgate.assets where universe = '_ring'")
    return asset


def begin(toy: Toy, run: str, pipeline: str = "morning", driver: str = "headgate") -> None:
    """Start a run that runners advance."""
    toy.start(run, pipeline, p_driver=driver)


def status(toy: Toy, run: str, pipeline: str = "morning") -> tuple[str, int]:
    """Return the step's status and the number of its planned jobs."""
    row = toy.step("ring", run, pipeline)
    return row["status"], row["planned"]


def test_every_execution_does_it_once(bell: Toy):
    for run in ("r1", "r2", "r3"):
        begin(bell, run)
        assert bell.drain() == 1
        bell.drain()
        assert bell.execution(run, "morning")["status"] == "succeeded"

    assert [x["run_id"] for x in bell.details(ring(bell))] == ["r1", "r2", "r3"]


def test_planning_and_sending_again_does_nothing_new(bell: Toy):
    begin(bell, "r1", driver="airflow")
    bell.check("r1", "morning")
    bell.enqueue("ring", "r1", "morning")
    bell.check("r1", "morning")
    assert bell.drain() == 1
    bell.enqueue("ring", "r1", "morning")

    assert bell.drain() == 0
    assert status(bell, "r1") == ("succeeded", 1)


def test_failures_are_counted_and_exclude_nothing(bell: Toy):
    for failures in range(1, 8):
        begin(bell, f"r{failures}")
        assert bell.drain(outcome="failed") == 1
        bell.advance()
        assert bell.state(ring(bell), "ring")["consecutive_failures"] == failures
        assert bell.execution(f"r{failures}", "morning")["status"] == "failed"
    begin(bell, "r8")
    assert bell.drain() == 1

    assert bell.state(ring(bell), "ring")["consecutive_failures"] == 0
    assert status(bell, "r8") == ("succeeded", 1)


def test_a_failed_job_can_be_retried_although_another_run_has_done_it(bell: Toy):
    begin(bell, "r1")
    bell.drain(outcome="failed")
    bell.later(minutes=1)
    begin(bell, "r2")
    bell.drain()
    retried = bell.row("retry_failed", p_pipeline="morning", p_run_id="r1")

    assert retried["planned"] == 1
    assert bell.drain() == 1
    bell.advance()
    assert bell.execution("r1", "morning")["status"] == "succeeded"


@pytest.mark.parametrize("driver", ["headgate", "airflow"])
def test_a_step_waits_while_another_execution_does_it(bell: Toy, driver: str):
    begin(bell, "r1")
    (held,) = bell.claim()
    begin(bell, "r2", "evening", driver)
    if driver == "airflow":
        bell.check("r2", "evening")
        assert bell.enqueue("ring", "r2", "evening")["status"] == "running"
    assert bell.claim("w2") == []
    assert status(bell, "r2", "evening") == ("running", 0)
    bell.complete(held)

    assert bell.drain("w2") == 1
    assert status(bell, "r2", "evening") == ("succeeded", 1)
    assert [x["run_id"] for x in bell.details(ring(bell))] == ["r1", "r2"]


def test_a_step_that_waits_can_be_cancelled(bell: Toy):
    begin(bell, "r1")
    (held,) = bell.claim()
    begin(bell, "r2", "evening")
    bell.claim("w2")
    bell.call("cancel_execution", p_pipeline="evening", p_run_id="r2")
    bell.complete(held)

    assert bell.drain("w2") == 0
    assert status(bell, "r2", "evening") == ("cancelled", 0)


def test_a_plan_says_that_every_run_does_it(bell: Toy):
    for run in ("r1", "r2"):
        (planned,) = bell.call("explain_plan", p_pipeline="morning")
        assert (planned["decision"], planned["reason"]) == ("run", "every run does it")
        begin(bell, run)
        bell.drain()

    (row,) = bell.sql("select due from headgate.v_operations where operation = 'ring'")
    assert row["due"] == "run"
    (row,) = bell.sql("select * from headgate.v_assets_needing_processing where operation = 'ring'")
    assert row["reason"] == "every run does it"
    (row,) = bell.sql("select * from headgate.v_data_freshness where operation = 'ring'")
    assert (row["fresh"], row["stale"]) == (1, 0)


def test_why_knows_the_run_of_a_day_on_record(bell: Toy):
    begin(bell, "r1")
    bell.drain()

    (row,) = bell.call("why", p_asset="ring", p_on="2024-03-05")
    assert (row["run_id"], row["outcome"]) == ("r1", "success")


def test_a_forecast_does_it_every_day_and_leaves_no_backlog(bell: Toy):
    begin(bell, "r1")
    bell.drain()
    days = bell.call("forecast", p_pipeline="morning", p_days=5)

    assert [(x["updated"], x["deferred"], x["backlog"]) for x in days] == [(1, 0, 0)] * 5


def test_a_rule_that_changes_frees_what_was_left_out(bell: Toy):
    shelf = Shelf(bell)
    once = RING.replace("'run'", "'once'")
    shelf.put(PROVIDER, once, *MORNING, *EVENING, plan="bell")
    for run in range(5):
        begin(bell, f"r{run}")
        bell.drain(outcome="failed")
    assert bell.state(ring(bell), "ring")["next_due_at"] is None
    shelf.put(PROVIDER, RING, *MORNING, *EVENING, plan="bell")
    begin(bell, "r9")

    assert bell.drain() == 1


def test_an_operation_without_a_universe_has_one_asset(bell: Toy):
    (asset,) = bell.sql("select * from headgate.assets where universe = '_ring'")

    assert (asset["code"], asset["group_key"], asset["is_active"]) == ("ring", "ring", True)


def test_the_asset_goes_with_its_operation(bell: Toy):
    Shelf(bell).put("put_pipeline('morning')", "put_pipeline('evening')", plan="bell")

    assert bell.sql("select * from headgate.assets where universe = '_ring'") == []


def test_an_asset_with_history_stays_inactive_and_comes_back(bell: Toy):
    begin(bell, "r1")
    bell.drain()
    shelf = Shelf(bell)
    shelf.put("put_pipeline('morning')", "put_pipeline('evening')", plan="bell")
    (asset,) = bell.sql("select * from headgate.assets where universe = '_ring'")
    assert not asset["is_active"]
    shelf.put(PROVIDER, RING, *MORNING, *EVENING, plan="bell")
    bell.call("check_plans")
    begin(bell, "r2")

    assert bell.drain() == 1


def test_the_asset_goes_when_a_universe_is_named(bell: Toy):
    named = RING.replace("'ring', ", "'ring', 'things', ")
    Shelf(bell).put(PROVIDER, named, *MORNING, *EVENING, plan="bell")
    bell.call("check_plans")

    assert bell.sql("select * from headgate.assets where universe = '_ring' and is_active") == []


def test_a_run_rule_follows_nothing(bell: Toy):
    follower = RING.replace("'ring'", "'echo'").replace("due", "follows => 'ring', due")

    assert "run follows nothing" in Shelf(bell).mistakes(PROVIDER, RING, follower)

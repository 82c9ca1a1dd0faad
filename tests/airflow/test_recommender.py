"""The recommender's two DAGs under Airflow's own scheduler: a source, both services, mail and Slack."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.airflow.looks import (
    assert_both_windows_agree,
    assert_told,
    output,
    scheduled,
    wait_for_retry,
    wait_for_run,
    wait_past_retries,
)
from tests.airflow.scene import Scene
from tests.airflow_home import NEEDS_AIRFLOW

pytestmark = NEEDS_AIRFLOW

TRAINING, INTEGRATION = "recommender_training_pipeline", "noblestride_integration_pipeline"


@pytest.fixture(scope="module", autouse=True)
def let_go(stack: Scene) -> None:
    """Unpause both DAGs, and the one that sends notices of their failures."""
    stack.let_go(TRAINING, INTEGRATION, "notify")


@pytest.fixture(autouse=True)
def healed(stack: Scene) -> Iterator[None]:
    """Wait until earlier scheduled runs have ended, and make the services healthy again afterwards."""
    for dag in (TRAINING, INTEGRATION):
        wait_for_run(stack, dag, scheduled(stack, dag))
    yield
    for service in stack.services.values():
        service.faults.clear()


@pytest.mark.parametrize(
    ("dag", "owner", "retries"),
    [(TRAINING, "recommendation-team", 2), (INTEGRATION, "noblestride-team", 1)],
)
def test_the_runs_by_the_clock_end_green_in_both_windows(
    stack: Scene, dag: str, owner: str, retries: int
):
    run = scheduled(stack, dag)

    execution = assert_both_windows_agree(stack, dag, run)
    assert execution["status"] == "succeeded", stack.tasks(dag, run)
    assert execution["succeeded"] == execution["planned"] > 0
    tasks = {x["task_id"]: x for x in stack.api(f"dags/{dag}/tasks")["tasks"]}
    extract = tasks["extract_data"]
    assert (extract["owner"], extract["retries"]) == (owner, retries)
    (pool,) = stack.rows("select * from headgate.v_pools where pool = 'ml_training_pool'")
    assert (pool["slots"], pool["used"], pool["waiting"]) == (2, 0, 0)


def test_r2_a_training_by_the_clock_leaves_recommendations_of_the_model_in_use(stack: Scene):
    run = scheduled(stack, TRAINING)
    (model,) = stack.rows("select * from recommender.models where run_id = %(run)s", run=run)
    (shown,) = stack.rows(
        "select count(distinct investor) as investors, max(rank) as ranks,"
        " array_agg(distinct model_version) as models from recommender.v_recommendations"
    )

    assert model["ndcg_at_10"] > model["popularity_ndcg_at_10"]
    assert shown == {"investors": 60, "ranks": 10, "models": [model["model_version"]]}


def test_r4_a_run_that_fails_after_its_retry_is_one_mail_and_one_message(stack: Scene):
    fastapi, nodejs = (stack.services[f"noblestride_{x}"] for x in ("fastapi", "nodejs"))
    asked = len(nodejs.calls)
    for service in (fastapi, nodejs):
        service.fail("status", status=500)
    run = stack.trigger(INTEGRATION)
    wait_for_retry(stack, INTEGRATION, run, "check_services")
    assert len(nodejs.calls) == asked + 1
    wait_past_retries(stack, INTEGRATION, run)

    assert assert_both_windows_agree(stack, INTEGRATION, run)["status"] == "failed"
    tasks = stack.tasks(INTEGRATION, run)
    assert tasks["check_services"]["try_number"] == 2
    assert tasks["generate_report"]["state"] == "success"
    assert len(nodejs.calls) == asked + 2
    assert_told(stack, "recommender", run, INTEGRATION, "check_services", "500")


def test_r5_a_training_that_is_to_wait_continues_when_an_integration_run_has_succeeded(
    stack: Scene,
):
    stack.rows(
        "update headgate.process_executions as e set finished_at = finished_at - interval '1 day'"
        " from headgate.pipelines as p where p.pipeline_id = e.pipeline_id and p.name = %(dag)s"
        " returning e.execution_id",
        dag=INTEGRATION,
    )
    run = stack.trigger(TRAINING, {"wait_for_integration": True})
    wait_for_retry(stack, TRAINING, run, "await_integration")
    said = " ".join(stack.lines(TRAINING, run, "await_integration"))
    assert "no run of noblestride_integration_pipeline has succeeded today" in said
    before = stack.trigger(INTEGRATION)
    wait_for_run(stack, INTEGRATION, before)
    wait_past_retries(stack, TRAINING, run)

    assert assert_both_windows_agree(stack, TRAINING, run)["status"] == "succeeded"
    waited = {"waited": True, "integration_run": before}
    assert output(stack, TRAINING, run, "await_integration") == waited

"""OnPoint's two DAGs under Airflow's own scheduler: two services, a site, mail and Slack.

The tests build on each other, in their order: the monitoring looks before and after the first run.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from headgate.demo.services import Reply
from tests.airflow.looks import (
    assert_both_windows_agree,
    assert_told,
    output,
    scheduled,
    wait_for_run,
    wait_past_retries,
)
from tests.airflow.scene import Scene
from tests.airflow_home import NEEDS_AIRFLOW
from tests.limits import wait_until

pytestmark = NEEDS_AIRFLOW

DATA, MONITORING = "onpoint_data_pipeline", "pipeline_monitoring"
DRAWN = {
    "start_pipeline": {"crawl_apis", "crawl_web"},
    "crawl_apis": {"validate_raw_data"},
    "crawl_web": {"validate_raw_data"},
    "validate_raw_data": {"process_data"},
    "process_data": {"convert_formats", "run_etl"},
    "convert_formats": {"create_tables"},
    "run_etl": {"create_tables"},
    "create_tables": {"load_data"},
    "load_data": {"upload_to_s3", "data_quality_check"},
    "upload_to_s3": {"send_success_notification"},
    "data_quality_check": {"send_success_notification"},
    "send_success_notification": {"cleanup_temp_files"},
    "cleanup_temp_files": set[str](),
}
BESIDE = {"read_robots", "crawl_stories", "finalize_execution"}
"""Tasks between those that are drawn, and behind them."""
POOLS = {"crawling_pool": 4, "processing_pool": 2, "database_pool": 3, "s3_pool": 2}
FEW = {"max_stories": 3}


@pytest.fixture(autouse=True)
def healed(stack: Scene) -> Iterator[None]:
    """Let the services be well again afterwards."""
    routes = {x.name: (x.routes, x.rest) for x in stack.services.values()}
    yield
    for service in stack.services.values():
        service.faults.clear()
        service.routes, service.rest = routes[service.name]


def run_with_few(stack: Scene) -> str:
    """Start a run that asks for few stories, and wait until it has ended; return its id."""
    run = stack.trigger(DATA, FEW)
    wait_past_retries(stack, DATA, run)
    return run


def alerts(stack: Scene) -> set[str]:
    """Return what the open alerts are about."""
    rows = stack.rows("select subject from headgate.v_alerts where resolved_at is null")
    return {x["subject"] for x in rows}


def test_tables_without_data_are_unhealthy_and_told_by_mail_and_slack(stack: Scene):
    stack.let_go(MONITORING, "notify")
    run = scheduled(stack, MONITORING)
    wait_for_run(stack, MONITORING, run)

    assert assert_both_windows_agree(stack, MONITORING, run)["status"] == "failed"
    report = output(stack, MONITORING, run, "pipeline_health_check")
    assert report["overall_status"] == "UNHEALTHY"
    assert "data_freshness" in report["failed_checks"]
    assert "onpoint health" in alerts(stack)
    told = "select status from headgate.v_notices where body like 'UNHEALTHY: %data_freshness%'"
    wait_until(lambda: [x["status"] for x in stack.rows(told)] == ["sent"] * 2, "news of it")


def test_a_run_by_the_clock_is_green_in_both_windows_in_the_graph_that_is_drawn(stack: Scene):
    stack.let_go(DATA)
    run = scheduled(stack, DATA)
    wait_for_run(stack, DATA, run)

    tasks = {x["task_id"]: x for x in stack.api(f"dags/{DATA}/tasks")["tasks"]}
    assert tasks.keys() == DRAWN.keys() | BESIDE

    def drawn_behind(task: str) -> set[str]:
        behind = tasks[task]["downstream_task_ids"]
        return {y for x in behind for y in ({x} if x in DRAWN else drawn_behind(x))}

    assert {x: drawn_behind(x) for x in DRAWN} == DRAWN
    assert {x for x in DRAWN if tasks[x]["trigger_rule"] == "all_done"} == {
        "validate_raw_data",
        "cleanup_temp_files",
    }
    pools = stack.rows(
        "select pool, slots from headgate.v_pools where pool = any (%(x)s)", x=[*POOLS]
    )
    assert {x["pool"]: x["slots"] for x in pools} == POOLS
    execution = assert_both_windows_agree(stack, DATA, run)
    assert execution["status"] == "succeeded", stack.tasks(DATA, run)
    assert set(stack.steps(DATA, run).values()) == {"succeeded"}
    assert output(stack, DATA, run, "send_success_notification")["summary"].startswith(
        f"DAG: {DATA}"
    )


def test_the_monitoring_sees_the_fresh_data(stack: Scene):
    run = stack.trigger(MONITORING)
    wait_for_run(stack, MONITORING, run)

    status = assert_both_windows_agree(stack, MONITORING, run)["status"]
    report = output(stack, MONITORING, run, "pipeline_health_check")
    assert report["detailed_results"]["data_freshness"]["status"] == "HEALTHY"
    # Other tests' runs on this stack may have failed within the hour: they are error_rates.
    is_well = not report["failed_checks"]
    assert is_well or report["failed_checks"] == ["error_rates"]
    assert (status == "succeeded", "onpoint health" not in alerts(stack)) == (is_well, is_well)


def test_a_run_continues_without_the_site_and_it_is_reported(stack: Scene):
    site = stack.services["website"]
    site.routes, site.rest = {}, lambda _: Reply(b" " * 2_000_001)
    run = run_with_few(stack)

    assert assert_both_windows_agree(stack, DATA, run)["status"] == "failed"
    steps = stack.steps(DATA, run)
    assert {x for x in steps if steps[x] != "succeeded"} == {"crawl_web"}
    assert stack.tasks(DATA, run)["crawl_web"]["try_number"] == 3
    assert_told(stack, "onpoint", run, DATA, "crawl_web", "larger than 2000000 bytes")
    summary = output(stack, DATA, run, "send_success_notification")["summary"]
    assert summary.endswith("Failed: crawl_web")


def test_fewer_than_two_valid_files_stop_a_run(stack: Scene):
    for name in ("jsonplaceholder", "hackernews"):
        stack.services[name].fail("status", status=404)
    run = run_with_few(stack)

    assert assert_both_windows_agree(stack, DATA, run)["status"] == "failed"
    steps = stack.steps(DATA, run)
    ended = {"start_pipeline", "read_robots", "crawl_web", "cleanup_temp_files"}
    assert {x for x in steps if steps[x] == "succeeded"} - BESIDE == ended - BESIDE
    assert steps["validate_raw_data"] == "failed"
    assert {steps[x] for x in DRAWN.keys() - ended} == {"failed", "skipped"}
    assert_told(stack, "onpoint", run, DATA, "validate_raw_data", "too little was crawled")

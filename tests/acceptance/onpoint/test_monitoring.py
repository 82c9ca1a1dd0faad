"""pipeline_monitoring: five checks with real figures, stored, and an alert that names the failed ones."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from headgate.database import connect
from headgate.settings import Settings
from tests.acceptance.onpoint.conftest import DATA, MONITORING, Lake

BROKEN_PAGES = 2
"""Jobs that fail in each run: a page of the web site is too large, another redirects too often."""
CHECKS = {
    "database_connectivity",
    "data_freshness",
    "processing_latency",
    "error_rates",
    "resource_utilization",
}


def alerts(lake: Lake) -> list[str]:
    rows = lake.plan.sql(
        "select message from headgate.v_alerts where subject = 'onpoint health' and resolved_at is null"
    )
    return [x["message"] for x in rows]


async def test_after_a_run_all_five_checks_are_healthy_and_have_real_figures(lake: Lake):
    await lake.run(DATA)
    run_id = await lake.run(MONITORING)

    report = lake.output(run_id, "pipeline_health_check")
    results = report["detailed_results"]
    assert set(results) == CHECKS
    assert (report["overall_status"], report["failed_checks"]) == ("HEALTHY", []), results
    assert 0 <= results["database_connectivity"]["response_time_seconds"] < 5
    assert results["database_connectivity"]["database_size_bytes"] > 1_000_000
    assert set(results["data_freshness"]["tables"]) == {"posts", "users", "comments"}
    assert results["processing_latency"]["records_last_hour"] > 610
    assert results["processing_latency"]["average_minutes"] >= 0
    assert results["error_rates"]["critical"] == BROKEN_PAGES
    assert results["resource_utilization"]["active_workers"] >= 1
    assert 0 < results["resource_utilization"]["memory_percent"] < 100
    assert alerts(lake) == []
    check_metrics(lake)


def check_metrics(lake: Lake) -> None:
    """Look at the four metrics of the crawl's run, whose skipped jobs are no failures."""
    rows = lake.plan.sql(
        "select name, value from headgate.v_metrics"
        " where name like 'onpoint%%' and labels ->> 'pipeline' = %(p)s",
        p=DATA,
    )
    metrics = {x["name"].removeprefix("onpoint_"): x["value"] for x in rows}
    (run,) = lake.plan.sql(
        "select * from headgate.v_recent_executions where pipeline = %(p)s", p=DATA
    )
    assert run["skipped"] > 0
    assert metrics["success_rate"] == pytest.approx(
        1 - BROKEN_PAGES / (run["planned"] - run["skipped"])
    )
    assert metrics["processing_time_seconds"] == pytest.approx(run["duration"].total_seconds())
    assert metrics["records_processed"] > 610
    assert metrics["memory_usage_bytes"] > 10_000_000


async def test_a_busy_database_is_a_warning_which_fails_nothing(
    lake: Lake, small_database: Settings
):
    lake.plan.sql("insert into onpoint.posts (id, etl_processed_at) values (1, headgate.clock())")
    lake.plan.sql("insert into onpoint.users (id, etl_processed_at) values (1, headgate.clock())")
    lake.plan.sql(
        "insert into onpoint.comments (id, etl_processed_at) values (1, headgate.clock())"
    )
    lake.plan.call("start_execution", p_pipeline=DATA, p_run_id="slow")
    lake.plan.call("finalize_execution", p_pipeline=DATA, p_run_id="slow")
    lake.plan.sql(
        "update headgate.process_executions set started_at = finished_at - interval '2 hours'"
        " where run_id = 'slow'"
    )
    with ExitStack() as opened:
        for _ in range(50):
            opened.enter_context(connect(small_database, "test"))
        run_id = await lake.run(MONITORING)

    report = lake.output(run_id, "pipeline_health_check")
    results = report["detailed_results"]
    busy = ("database_connectivity", "processing_latency")
    assert {x: results[x]["status"] for x in busy} == dict.fromkeys(busy, "WARNING"), results
    assert results["database_connectivity"]["active_connections"] >= 50
    assert results["processing_latency"]["average_minutes"] == 120
    assert (report["overall_status"], report["failed_checks"]) == ("HEALTHY", [])
    assert lake.steps(run_id)["pipeline_health_check"] == "succeeded"


async def test_tables_without_rows_are_no_data_and_the_step_fails_after_it_is_kept(lake: Lake):
    run_id = await lake.run(MONITORING)

    assert lake.steps(run_id)["pipeline_health_check"] == "failed"
    (row,) = lake.plan.sql("select * from onpoint.health_checks")
    assert (row["overall_status"], row["failed_checks"]) == ("UNHEALTHY", ["data_freshness"])
    assert {x["status"] for x in row["detailed_results"]["data_freshness"]["tables"].values()} == {
        "NO_DATA"
    }
    (said,) = alerts(lake)
    assert said.startswith("UNHEALTHY: data_freshness;")
    notices = lake.plan.sql("select channel from headgate.v_notices where body like 'UNHEALTHY: %'")
    assert {x["channel"] for x in notices} == {"onpoint_mail", "onpoint_slack"}


async def test_rows_older_than_25_hours_are_stale_and_fresh_rows_resolve_the_alert(lake: Lake):
    await lake.run(DATA, max_stories=3)
    lake.plan.sql(
        "update onpoint.users set etl_processed_at = headgate.clock() - interval '26 hours'"
    )
    await lake.run(MONITORING)

    assert len(alerts(lake)) == 1
    (row,) = lake.plan.sql(
        "select detailed_results -> 'data_freshness' as f from onpoint.health_checks"
    )
    assert (row["f"]["status"], row["f"]["tables"]["users"]["status"]) == ("STALE", "STALE")
    assert row["f"]["tables"]["posts"]["status"] == "HEALTHY"

    lake.plan.sql("update onpoint.users set etl_processed_at = headgate.clock()")
    await lake.run(MONITORING)

    assert alerts(lake) == []


async def test_jobs_that_fail_show_in_the_error_rate(lake: Lake):
    lake.services["hackernews"].fail("status", status=404)
    lake.services["jsonplaceholder"].fail("status", times=1, status=404)
    await lake.run(DATA)
    await lake.run(MONITORING)

    (row,) = lake.plan.sql(
        "select detailed_results -> 'error_rates' as e, failed_checks from onpoint.health_checks"
    )
    assert row["e"]["critical"] == 2 + BROKEN_PAGES
    assert row["e"]["status"] == "FAILED"
    assert "error_rates" in row["failed_checks"]


async def test_a_check_that_cannot_look_has_failed_and_the_others_still_run(lake: Lake):
    lake.plan.sql("alter table onpoint.comments rename to gone")
    await lake.run(MONITORING)

    (row,) = lake.plan.sql("select detailed_results as r from onpoint.health_checks")
    assert row["r"]["data_freshness"]["status"] == "FAILED"
    assert "onpoint.comments" in row["r"]["data_freshness"]["error"]
    assert row["r"]["database_connectivity"]["status"] == "HEALTHY"

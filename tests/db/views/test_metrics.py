"""v_metrics has the figures of the views, as Prometheus reads them."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

from tests.db.toy import Toy
from tests.plan import Plan


def value(toy: Toy, name: str, **labels: str) -> float | None:
    """Return a sample's value; None if there is no such sample."""
    rows = toy.sql("select value, labels from headgate.v_metrics where name = %(name)s", name=name)
    found = [x["value"] for x in rows if x["labels"] == labels]
    assert len(found) <= 1
    return found[0] if found else None


def counters(toy: Toy) -> dict[tuple[str, Any], float]:
    """Return all samples that must not go down."""
    rows = toy.sql(
        "select name, labels, value from headgate.v_metrics where type in ('counter', 'histogram')"
    )
    return {(x["name"], tuple(sorted(x["labels"].items()))): x["value"] for x in rows}


def test_jobs_are_counted_by_status_with_requests_retries_units_and_duration(toy: Toy):
    toy.add(4)
    toy.begin()
    (chunk,) = toy.claim()
    first, second, *others = chunk["asset_ids"]
    toy.complete(chunk, "retry", [first])
    toy.complete(chunk, "failed", [second])
    toy.complete(chunk, assets=others)
    toy.later(minutes=5)
    toy.drain()

    assert value(toy, "headgate_jobs_total", operation="look", status="success") == 3
    assert value(toy, "headgate_jobs_total", operation="look", status="failed") == 1
    assert value(toy, "headgate_requests_total", operation="look") == 5
    assert value(toy, "headgate_retries_total", operation="look") == 1
    assert value(toy, "headgate_units_total", operation="look") == toy.units()[1]
    assert value(toy, "headgate_job_duration_seconds_count", operation="look") == 4
    assert value(toy, "headgate_job_duration_seconds_bucket", operation="look", le="0.1") == 4


def test_a_bucket_holds_the_jobs_of_the_smaller_ones(toy: Toy):
    toy.add(3)
    toy.begin()
    (chunk,) = toy.claim()
    for asset, duration in zip(chunk["asset_ids"], (100, 101, 400_000), strict=True):
        toy.call(
            "complete_jobs",
            p_runner="w1",
            p_chunk_id=chunk["chunk_id"],
            p_lease_no=chunk["lease_no"],
            p_asset_ids=[asset],
            p_outcomes=["success"],
            p_payloads=["{}"],
            p_request_counts=[1],
            p_durations_ms=[duration],
        )
    rows = toy.sql(
        "select labels ->> 'le' as le, value from headgate.v_metrics"
        " where name = 'headgate_job_duration_seconds_bucket'"
    )
    buckets = {x["le"]: x["value"] for x in rows}

    assert buckets == {
        **{"0.1": 1, "0.25": 2, "0.5": 2, "1.0": 2, "2.5": 2, "10.0": 2, "60.0": 2, "300.0": 2},
        "+Inf": 3,
    }
    assert value(toy, "headgate_job_duration_seconds_sum", operation="look") == 400.201


def test_no_counter_goes_down_when_history_is_deleted_and_counts_are_folded(toy: Toy):
    toy.add(2)
    toy.begin()
    toy.drain()
    toy.finish()
    toy.add(1, first=2)
    toy.begin(run="r2")
    toy.call("cancel_execution", p_pipeline="plain", p_run_id="r2")
    toy.sql(
        "insert into headgate.cache_counts (operation_id, execution_id, hits, misses, coalesced)"
        " select o.operation_id, e.execution_id, 5, 3, 2 from headgate.operations as o"
        " cross join headgate.process_executions as e where o.name = 'look' and e.run_id = 'r1'"
    )
    toy.sql(
        "insert into headgate.job_counts (operation_id, status, jobs)"
        " select operation_id, 'success', 1 from headgate.operations, generate_series(1, 1000)"
        " where name = 'look'"
    )
    before = counters(toy)
    toy.later(days=100)
    toy.sql("select * from headgate.retain('30 days')")
    toy.call("heartbeat", p_runner="w1", p_host="h", p_pid=1, p_version="1")

    assert not toy.sql("select from headgate.process_executions")
    assert toy.scalar("select count(*) from headgate.job_counts") == 2
    assert counters(toy) == before
    assert value(toy, "headgate_jobs_total", operation="look", status="success") == 1002
    assert value(toy, "headgate_jobs_total", operation="look", status="cancelled") == 1
    assert value(toy, "headgate_runs_total", pipeline="plain", status="succeeded") == 1
    assert value(toy, "headgate_runs_total", pipeline="plain", status="cancelled") == 1
    for result, requests in {"hit": 3, "miss": 3, "coalesced": 2}.items():
        assert (
            value(toy, "headgate_cache_requests_total", operation="look", result=result) == requests
        )


def test_a_running_pipeline_shows_its_queue_quota_freshness_and_age(toy: Toy):
    toy.add(3)
    toy.begin()
    toy.later(seconds=90)

    assert value(toy, "headgate_queue_jobs", operation="look", state="ready") == 3
    assert value(toy, "headgate_queue_oldest_ready_seconds", operation="look") == 90
    assert value(toy, "headgate_run_running_seconds", pipeline="plain") == 90
    assert value(toy, "headgate_quota_units", provider="shop", kind="reserved") == toy.units()[0]
    assert value(toy, "headgate_assets", operation="look", group="A", freshness="never") == 3
    assert value(toy, "headgate_waiting_jobs", operation="look", cause="no_runner") == 3

    toy.drain()
    toy.finish()

    assert value(toy, "headgate_queue_jobs", operation="look", state="ready") == 0
    assert value(toy, "headgate_run_running_seconds", pipeline="plain") == 0
    assert value(toy, "headgate_run_duration_seconds", pipeline="plain") == 90
    assert value(toy, "headgate_run_succeeded", pipeline="plain") == 1
    assert value(toy, "headgate_step_duration_seconds", pipeline="plain", step="a") == 90
    assert value(toy, "headgate_assets", operation="look", group="A", freshness="fresh") == 3


def test_without_a_runner_there_is_no_disk_to_be_full(toy: Toy):
    assert value(toy, "headgate_runners") == 0
    assert value(toy, "headgate_runner_disk_used_ratio") is None

    beat = {"p_runner": "w1", "p_host": "h", "p_pid": 1, "p_version": "1"}
    toy.call("heartbeat", **beat, p_figures={"disk_percent": 0})
    assert value(toy, "headgate_runner_disk_used_ratio") == 0
    toy.call("heartbeat", **beat, p_figures={"disk_percent": 80.5})
    assert value(toy, "headgate_runner_disk_used_ratio") == 0.805


def test_every_sample_is_unique_and_has_the_type_and_help_of_its_metric(toy: Toy):
    toy.add(2)
    toy.begin()
    toy.drain()
    toy.finish()
    toy.sql("set local role headgate_reader")
    rows = toy.sql("select * from headgate.v_metrics")
    toy.sql("reset role")

    assert len({(x["name"], str(sorted(x["labels"].items()))) for x in rows}) == len(rows)
    assert all(x["help"] and x["value"] is not None for x in rows)
    assert all(isinstance(y, str) for x in rows for y in x["labels"].values())
    assert {x["name"].endswith("_total") for x in rows if x["type"] == "counter"} == {True}
    assert Counter(x["type"] for x in rows).keys() == {"counter", "gauge", "histogram"}


def test_calls_that_fail_because_of_our_secret_are_counted_until_one_is_answered(toy: Toy):
    toy.add(3)
    toy.begin()
    block = {"until": "execution", "reason": "401"}
    toy.complete(toy.claim()[0], "deferred", fault="internal", block=block)
    assert value(toy, "headgate_provider_refused_calls", provider="shop") == 3

    toy.finish()
    toy.begin(run="r2")
    toy.drain()

    assert value(toy, "headgate_provider_refused_calls", provider="shop") == 0


def test_what_the_server_keeps_for_a_slot_grows_until_it_is_read(toy: Toy):
    toy.sql("select pg_create_physical_replication_slot('headgate_test_metrics', true)")
    try:
        before = value(toy, "headgate_slot_retained_bytes", slot="headgate_test_metrics")
        toy.sql("create table headgate.filled as select 1 as n")
        toy.sql("select pg_switch_wal()")
        after = value(toy, "headgate_slot_retained_bytes", slot="headgate_test_metrics")
    finally:
        toy.sql("select pg_drop_replication_slot('headgate_test_metrics')")

    assert before is not None and after is not None
    assert after > before


def test_the_ten_largest_groups_of_an_operation_have_samples_of_their_own(toy: Toy):
    for n in range(12):
        toy.add(20 - n, group=f"G{n:02}")
    rows = toy.sql(
        "select labels ->> 'group' as name, sum(value) as assets from headgate.v_metrics"
        " where name = 'headgate_assets' and labels ->> 'operation' = 'look' group by 1 order by 1"
    )

    assert [(x["name"], x["assets"]) for x in rows] == [
        *((f"G{n:02}", 20 - n) for n in range(10)),
        ("other", 10 + 9),
    ]


def test_the_shipped_pipelines_have_few_series_with_the_labels_that_are_declared(db: Plan):
    """As after a night in which every operation had jobs of every status, and every pipeline a run."""
    db.sql(
        "insert into headgate.job_counts (operation_id, status, jobs)"
        " select o.operation_id, s.status, 1 from headgate.operations as o"
        " cross join (values ('success'), ('failed'), ('deferred'), ('skipped'), ('cancelled')) as s (status)"
    )
    db.sql(
        "insert into headgate.process_executions (pipeline_id, run_id, driver, status, started_at, finished_at)"
        " select pipeline_id, 'night', 'headgate', 'failed', headgate.clock(), headgate.clock() from headgate.pipelines"
    )
    db.sql(
        "insert into headgate.process_steps (execution_id, step, position, kind, status, started_at, finished_at)"
        " select e.execution_id, s.step, s.position, s.kind, 'failed', e.started_at, e.finished_at"
        " from headgate.process_executions as e join headgate.pipeline_steps as s using (pipeline_id)"
    )
    rows = db.sql("select name, labels from headgate.v_metrics")
    pipelines = db.scalar("select count(*) from headgate.v_pipelines")
    declared = {
        x["name"]: set(x["labels"].split(", "))
        for x in db.sql("select name, labels from headgate._metric_names")
    }

    assert 20 * pipelines < len(rows) < 200 * pipelines
    for row in rows:
        name = re.sub(r"_(bucket|sum|count)$", "", row["name"])
        assert row["labels"].keys() - {"le"} <= declared.get(name, row["labels"].keys()), row

"""The dashboard of those who run it: what happens, what waits, machines and database."""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard, Row

from deploy.grafana.panels import (
    FAULTS,
    GREEN,
    RED,
    REUSED,
    YELLOW,
    bars,
    figure,
    graph,
    last,
    new_dashboard,
    prom,
    rows,
)

RECENT_RUNS = """
    select
        e.pipeline, e.run_id, e.status, e.started_at,
        extract(epoch from e.duration)::bigint as seconds,
        e.planned, e.succeeded, e.failed, e.deferred, e.units
    from headgate.v_recent_executions as e
    where $__timeFilter(e.started_at) or e.finished_at is null
    order by e.started_at desc
    limit 50
"""
WAITING = """
    select w.pipeline, w.operation, w.reason, w.jobs, w.next_try_at, w.gives_up_at
    from headgate.v_waiting as w
    order by w.jobs desc
    limit 50
"""
ALERTS = """
    select a.raised_at, a.severity, a.subject, a.message, a.resolved_at
    from headgate.v_alerts as a
    where a.resolved_at is null or $__timeFilter(a.raised_at)
    order by a.resolved_at is not null, a.raised_at desc
    limit 50
"""


def operations() -> Dashboard:
    """Return the dashboard."""
    made = new_dashboard("headgate-operations", "Headgate: operations", "24h")
    for add in (_add_now, _add_work, _add_runs, _add_machines):
        add(made)
    return made


def _add_now(made: Dashboard) -> None:
    made.with_row(Row("Now"))
    alive = ((None, RED), (1, GREEN))
    made.with_panel(figure("Runners", last("headgate_runners"), steps=alive))
    made.with_panel(figure("Ready jobs", last('sum(headgate_queue_jobs{state="ready"})')))
    made.with_panel(figure("Jobs with runners", last('sum(headgate_queue_jobs{state="leased"})')))
    made.with_panel(figure("Open breakers", last("sum(headgate_breaker_open)"), steps=FAULTS))
    made.with_panel(figure("Open alerts", last("sum(headgate_alerts_open)"), steps=FAULTS))
    failed = last("count(headgate_run_succeeded == 0) or vector(0)")
    made.with_panel(figure("Pipelines whose last run failed", failed, steps=FAULTS))


def _add_work(made: Dashboard) -> None:
    made.with_row(Row("Work"))
    ended = "sum by (status) (rate(headgate_jobs_total[$__rate_interval])) * 60"
    made.with_panel(graph("Jobs ended, a minute", prom(ended, "{{status}}"), is_stacked=True))
    queue = prom("sum by (state) (headgate_queue_jobs)", "{{state}}")
    made.with_panel(graph("Jobs in flight", queue, is_stacked=True))
    made.with_panel(
        graph(
            "Time that a job's calls take",
            *(prom(_quantile(x), f"p{x * 100:.0f}") for x in (0.5, 0.95)),
            unit="s",
        )
    )
    oldest = prom("headgate_queue_oldest_ready_seconds > 0", "{{operation}}")
    made.with_panel(graph("How long the oldest job has been ready", oldest, unit="s"))
    requests = "sum(rate(headgate_requests_total[$__rate_interval])) * 60"
    retries = "sum(rate(headgate_retries_total[$__rate_interval])) * 60"
    both = (prom(requests, "requests"), prom(retries, "retries"))
    made.with_panel(graph("Requests and retries, a minute", *both))
    causes = prom("sum by (cause) (headgate_waiting_jobs)", "{{cause}}")
    made.with_panel(graph("Jobs that wait, by cause", causes, is_stacked=True))
    made.with_panel(rows("What waits, and for what", WAITING, width=24))


def _quantile(share: float) -> str:
    rate = "rate(headgate_job_duration_seconds_bucket[$__rate_interval])"
    return f"histogram_quantile({share}, sum by (le) ({rate}))"


def _add_runs(made: Dashboard) -> None:
    made.with_row(Row("Runs"))
    made.with_panel(rows("Runs", RECENT_RUNS, width=24))
    last_run = prom("headgate_run_duration_seconds", "{{pipeline}}")
    made.with_panel(graph("Duration of the last run", last_run, unit="s"))
    slow = "headgate_run_running_seconds / on (pipeline) headgate_run_usual_duration_seconds"
    steps = ((None, GREEN), (1.5, YELLOW), (2, RED))
    made.with_panel(
        graph("Time of the current run to its usual one", prom(slow, "{{pipeline}}"), steps=steps)
    )
    longest = last("topk(15, headgate_step_duration_seconds)", "{{pipeline}} {{step}}")
    made.with_panel(bars("The longest steps of the last runs", longest, unit="s"))
    counted = "sum by (pipeline, status) (increase(headgate_runs_total[$__range]))"
    made.with_panel(bars("Runs ended", last(counted, "{{pipeline}} {{status}}")))


def _add_machines(made: Dashboard) -> None:
    made.with_row(Row("Machines and database"))
    memory = prom("headgate_runner_memory_bytes", "all runners")
    peak = prom("headgate_runner_peak_memory_bytes", "the highest peak of one")
    made.with_panel(graph("Memory of runners", memory, peak, unit="bytes", width=8))
    reused = prom(REUSED, "of all requests")
    made.with_panel(graph("Requests on an open connection", reused, unit="percentunit", width=8))
    disk = ((None, GREEN), (0.8, YELLOW), (0.9, RED))
    full = prom("headgate_runner_disk_used_ratio", "the fullest disk")
    made.with_panel(graph("Disk of runners", full, unit="percentunit", steps=disk, width=8))
    verdicts = last("headgate_database_verdict", "{{measure}}")
    made.with_panel(bars("The database: 1 is beyond its threshold", verdicts, steps=FAULTS))
    pools = prom('sum by (pool) (headgate_pool_slots{state="used"})', "{{pool}}")
    made.with_panel(graph("Slots of pools in use", pools))
    stored = prom("headgate_artifact_bytes", "{{store}}")
    made.with_panel(graph("Files in stores", stored, unit="bytes"))
    made.with_panel(rows("Alerts", ALERTS))

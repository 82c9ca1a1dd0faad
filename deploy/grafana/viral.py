"""The viral flywheel's boards: figures for those who decide, times for its operators."""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard, Row

from deploy.grafana.panels import (
    GREEN,
    RED,
    REUSED,
    YELLOW,
    Sql,
    figure,
    graph,
    last,
    new_dashboard,
    prom,
    rows,
)

ENGAGEMENT = ((None, RED), (0.04, YELLOW), (0.055, GREEN), (0.06, GREEN))
"""Its lines are the source's: too low, nearly there, the target."""
COST = ((None, GREEN), (0.01, YELLOW), (0.015, RED))
REVENUE = ((None, YELLOW), (20_000, GREEN))
TARGETS = """
    select e.name, e.value, e.target, e.is_on_target, e.change, e.average_7_days, e.measured_at
    from viral.v_executive as e
"""
VARIANTS = """
    select
        c.decided_at, c.rank, c.variant_id, c.hook, c.successes, c.failures, c.draw, c.is_explored
    from viral.v_choices as c
    where c.rank is not null
    order by c.decided_at desc, c.rank
    limit 10
"""
HEALTH = """
    select h.checked_at, h.service, h.status, h.response_time_ms
    from viral.v_service_health as h
    where $__timeFilter(h.checked_at)
    order by h.checked_at desc, h.service
    limit 50
"""
SHARES = {0.5: "p50", 0.95: "p95"}
TIMES = (
    "airflow_viral_scraper_execution_seconds",
    "airflow_viral_engine_processing_seconds",
    "airflow_thompson_sampling_optimization_seconds",
    "airflow_metrics_collection_seconds",
    "airflow_health_check_duration_seconds",
)


def viral() -> Dashboard:
    """Return the dashboard."""
    made = new_dashboard("headgate-viral", "Headgate: the viral flywheel", "30d", "viral")
    for add in (_add_executive, _add_operators):
        add(made)
    return made


def _add_executive(made: Dashboard) -> None:
    made.with_row(Row("Executive KPIs"))
    for title, metric, unit, steps in (
        ("Engagement rate", "viral_learning_engagement_rate", "percentunit", ENGAGEMENT),
        ("Cost of a new follower", "viral_learning_cost_per_follow", "currencyUSD", COST),
        ("Revenue a month", "viral_learning_revenue_projection_monthly", "currencyUSD", REVENUE),
        ("Content generated", "viral_learning_content_generated_total", "short", ((None, GREEN),)),
    ):
        made.with_panel(figure(title, last(metric), unit, steps, width=6))
    made.with_panel(
        graph("Engagement", _kpi("engagement_rate"), unit="percentunit", steps=ENGAGEMENT, width=24)
    )
    made.with_panel(
        graph("Cost per follow", _kpi("cost_per_follow"), unit="currencyUSD", steps=COST)
    )
    revenue = _kpi("revenue_projection_monthly")
    made.with_panel(graph("Monthly revenue", revenue, unit="currencyUSD", steps=REVENUE))
    made.with_panel(rows("Targets", TARGETS))
    made.with_panel(rows("The variants that were chosen last", VARIANTS))


def _kpi(name: str) -> Sql:
    """Return a KPI's course, from the table that keeps it for good."""
    return Sql(
        f"""
        select k.measured_at as time, k.value as {name}
        from viral.kpis as k
        where k.name = '{name}' and $__timeFilter(k.measured_at)
        order by k.measured_at
        """,
        is_series=True,
    )


def _add_operators(made: Dashboard) -> None:
    made.with_row(Row("Operators' performance"))
    for share, name in SHARES.items():
        over_time = [
            prom(f"quantile_over_time({share}, {x}[1d])", x.removeprefix("airflow_")) for x in TIMES
        ]
        made.with_panel(graph(f"Time of a task over a day, {name}", *over_time, unit="s"))
    buckets = 'rate(headgate_job_duration_seconds_bucket{operation=~"viral_.+"}[$__rate_interval])'
    by_operation = f"sum by (operation, le) ({buckets})"
    calls = [
        prom(f"histogram_quantile({share}, {by_operation})", f"{{{{operation}}}} {name}")
        for share, name in SHARES.items()
    ]
    made.with_panel(graph("Time of a call, p50 and p95", *calls, unit="s"))
    memory = prom("airflow_operator_memory_usage_bytes", "{{operator}}")
    made.with_panel(graph("Memory by operator", memory, unit="bytes"))
    used = prom("airflow_connection_pool_utilization", "connections to the database in use")
    made.with_panel(
        graph(
            "Pool efficiency",
            used,
            prom(REUSED, "requests on an open connection"),
            unit="percentunit",
            steps=((None, GREEN), (0.8, YELLOW)),
        )
    )
    hits = prom("airflow_cache_hit_ratio", "hits")
    made.with_panel(graph("Answers from the cache", hits, unit="percentunit"))
    made.with_panel(rows("Health of the services", HEALTH, width=24))

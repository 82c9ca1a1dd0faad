"""The dashboard of quota and freshness: what calls cost, what is left, how fresh the data are."""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard, Row

from deploy.grafana.panels import (
    GREEN,
    RED,
    YELLOW,
    bars,
    figure,
    graph,
    last,
    new_dashboard,
    prom,
    rows,
)

WINDOWS = """
    select
        q.provider, q.opened_at, q.closes_at, q.usable, q.spent, q.reserved, q.used_elsewhere,
        q.remaining,
        round(100.0 * q.spent / nullif(q.usable, 0), 1) as percent_spent
    from headgate.v_quota as q
    where q.closes_at >= $__timeFrom() and q.opened_at <= $__timeTo()
    order by q.opened_at desc, q.provider
    limit 100
"""
DEFERRALS = """
    select d.pipeline, d.operation, d.meaning, sum(d.assets) as assets, sum(d.units) as units
    from headgate.v_deferrals as d
    where $__timeFilter(d.deferred_at)
    group by d.pipeline, d.operation, d.meaning
    order by assets desc
    limit 50
"""
FRESHNESS = """
    select f.operation, f.group_key, f.assets, f.fresh, f.stale, f.never, f.oldest_watermark
    from headgate.v_counted_freshness as f
    order by f.stale desc, f.never desc
    limit 100
"""
FAILED = """
    select f.asset, f.operation, f.consecutive_failures, f.last_error, f.last_failed_at
    from headgate.v_failed_assets as f
    order by f.consecutive_failures desc, f.last_failed_at desc
    limit 50
"""
SHARE_SPENT = """
    sum by (provider) (headgate_quota_units{kind=~"spent|elsewhere"})
      / sum by (provider) (headgate_quota_units{kind="limit"})
"""
COST = """
    sum by (operation) (increase(headgate_units_total[1h]))
      / sum by (operation) (increase(headgate_jobs_total{status="success"}[1h]))
"""
SHARE_FRESH = """
    sum by (operation) (headgate_assets{freshness="fresh"})
      / sum by (operation) (headgate_assets)
"""
SERVED = """
    sum by (operation) (headgate_cache_requests_total{result=~"hit|coalesced"})
      / sum by (operation) (headgate_cache_requests_total)
"""


def quota() -> Dashboard:
    """Return the dashboard."""
    made = new_dashboard("headgate-quota", "Headgate: quota and freshness", "7d")
    for add in (_add_quota, _add_cost, _add_freshness):
        add(made)
    return made


def _add_quota(made: Dashboard) -> None:
    made.with_row(Row("Quota"))
    used = ((None, GREEN), (0.8, YELLOW), (0.95, RED))
    made.with_panel(
        bars("Spent of the window", last(SHARE_SPENT, "{{provider}}"), "percentunit", used, width=8)
    )
    ends = "headgate_quota_window_ends_timestamp_seconds - time()"
    made.with_panel(bars("Until the window ends", last(ends, "{{provider}}"), "s", width=8))
    left = last('sum by (provider) (headgate_quota_units{kind="left"})', "{{provider}}")
    made.with_panel(bars("Units left", left, width=8))
    kinds = 'sum by (provider, kind) (headgate_quota_units{kind!="limit"})'
    units = prom(kinds, "{{provider}} {{kind}}")
    made.with_panel(graph("Units of the window", units, width=24, is_stacked=True))
    made.with_panel(rows("Windows", WINDOWS, width=24))


def _add_cost(made: Dashboard) -> None:
    made.with_row(Row("What it buys"))
    spent = "sum by (operation) (increase(headgate_units_total[1h]))"
    made.with_panel(graph("Units charged, an hour", prom(spent, "{{operation}}"), is_stacked=True))
    made.with_panel(graph("Units for a job that succeeds", prom(COST, "{{operation}}")))
    made.with_panel(
        graph("Answers from the cache", prom(SERVED, "{{operation}}"), unit="percentunit")
    )
    made.with_panel(rows("What was due and had to wait", DEFERRALS))


def _add_freshness(made: Dashboard) -> None:
    made.with_row(Row("Freshness"))
    for title, state, good in (
        ("Fresh", "fresh", ((None, GREEN),)),
        ("Stale", "stale", ((None, GREEN), (1, YELLOW))),
        ("Never loaded", "never", ((None, GREEN), (1, YELLOW))),
    ):
        counted = last(f'sum(headgate_assets{{freshness="{state}"}})')
        made.with_panel(figure(title, counted, steps=good, width=8))
    made.with_panel(
        graph("Share of fresh assets", prom(SHARE_FRESH, "{{operation}}"), unit="percentunit")
    )
    stale = prom('sum by (group) (headgate_assets{freshness="stale"})', "{{group}}")
    made.with_panel(graph("Stale assets, by group", stale, is_stacked=True))
    made.with_panel(rows("Freshness by operation and group", FRESHNESS))
    made.with_panel(rows("Assets that fail", FAILED))

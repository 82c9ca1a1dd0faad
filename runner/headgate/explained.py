"""What the planner says of a run, in totals: for the pages and for `headgate explain`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

Row = Mapping[str, Any]

TOTALS: Final = """
select * from headgate.explain_totals(
    p_pipeline => %(pipeline)s, p_at => %(at)s::timestamptz, p_quota => %(quota)s::integer,
    p_params => %(params)s, p_counted => %(counted)s)
"""
QUOTA: Final = """
select * from headgate.explain_quota(
    p_pipeline => %(pipeline)s, p_at => %(at)s::timestamptz, p_quota => %(quota)s::integer,
    p_params => %(params)s)
"""
PAIRS: Final = """
select * from headgate.explain_plan(
    p_pipeline => %(pipeline)s, p_at => %(at)s::timestamptz, p_quota => %(quota)s::integer,
    p_params => %(params)s)
where asset is not null
limit %(rows)s
"""
STEPS: Final = """
select * from headgate.explain_steps(
    p_pipeline => %(pipeline)s, p_at => %(at)s::timestamptz, p_params => %(params)s)
"""
FORECAST: Final = """
select * from headgate.forecast(
    p_pipeline => %(pipeline)s, p_days => %(days)s::integer, p_quota => %(quota)s::integer,
    p_params => %(params)s, p_counted => %(counted)s)
"""
DECISIONS: Final = ("run", "defer", "skip")


def by_decision(totals: Sequence[Row]) -> list[dict[str, Any]]:
    """Return jobs and units per decision, from the rows of TOTALS."""
    grouped = _grouped(totals, "decision")
    none = {"jobs": 0, "units": 0}
    return [{"decision": x} | grouped.get((x,), none) for x in DECISIONS]


def by_reason(totals: Sequence[Row]) -> list[dict[str, Any]]:
    """Return jobs and units per decision and reason, with the earliest time for waiting jobs."""
    earliest: dict[tuple[str, str], datetime] = {}
    for row in totals:
        key = row["decision"], row["reason"]
        if row["run_at"] is not None:
            earliest[key] = min(row["run_at"], earliest.get(key, row["run_at"]))
    grouped = _grouped(totals, "decision", "reason")
    found = [
        {"decision": decision, "reason": reason}
        | value
        | {"earliest": earliest.get((decision, reason))}
        for (decision, reason), value in grouped.items()
    ]
    return sorted(found, key=lambda x: (DECISIONS.index(x["decision"]), -x["jobs"], x["reason"]))


def by_group(totals: Sequence[Row]) -> list[dict[str, Any]]:
    """Return due jobs and units per group, operation and decision, like explain_summary."""
    due = [row for row in totals if row["decision"] != "skip"]
    names = ("group_key", "operation", "decision")
    found = [
        dict(zip(names, key, strict=True)) | {"count": value["jobs"], "units": value["units"]}
        for key, value in _grouped(due, *names).items()
    ]
    return sorted(found, key=lambda x: x["group_key"])


def after_the_run(budgets: Sequence[Row], totals: Sequence[Row]) -> list[dict[str, Any]]:
    """Return the remaining units of each provider with a quota, now and after the run."""
    taken: Counter[str] = Counter()
    for row in totals:
        if row["decision"] == "run":
            taken[row["provider"]] += row["units"]
    return [
        {
            "provider": row["provider"],
            "usable": row["usable"],
            "left": row["units_left"],
            "after_the_run": row["units_left"] - taken[row["provider"]],
            "until": row["closes_at"],
            "blocked_until": row["blocked_until"],
        }
        for row in budgets
        if row["units_left"] is not None
    ]


def _grouped(rows: Sequence[Row], *names: str) -> dict[tuple[str, ...], dict[str, int]]:
    """Return the sums of jobs and units per values of these columns, in order of appearance."""
    jobs: Counter[tuple[str, ...]] = Counter()
    units: Counter[tuple[str, ...]] = Counter()
    for row in rows:
        key = tuple(row[name] for name in names)
        jobs[key] += row["count"]
        units[key] += row["units"]
    return {key: {"jobs": jobs[key], "units": units[key]} for key in jobs}

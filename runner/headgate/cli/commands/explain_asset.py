"""Explanation of one asset for `headgate explain --asset`: planned work, reasons, history."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from typing import Any

from psycopg import Connection
from psycopg.rows import DictRow

from headgate.cli.commands import console
from headgate.cli.commands.show import find_asset

PLAN = """
select * from headgate.explain_plan(
    p_pipeline => %(pipeline)s, p_at => %(at)s::timestamptz, p_quota => %(quota)s::integer,
    p_params => %(params)s, p_assets => array[%(asset_id)s::bigint])
"""
DECISIONS = """
select d.decided_at, d.run_id, d.operation, d.decision, d.outcome, d.units, d.reason
from headgate.v_decisions as d
where d.asset_id = %(asset_id)s
order by d.decided_at desc, d.operation
limit %(most)s
"""
MOST = 12


def story_of(
    connection: Connection[DictRow], code: str, arguments: dict[str, Any]
) -> dict[str, Any]:
    """Return an asset, a run's decision for each of its operations, and the latest decisions."""
    asset = find_asset(connection, code)
    known = arguments | {"asset_id": asset["asset_id"], "most": MOST}
    return {
        "asset": asset,
        "plan": connection.execute(PLAN, known).fetchall(),
        "decisions": connection.execute(DECISIONS, known).fetchall(),
    }


def print_story(story: dict[str, Any]) -> None:
    """Print the explanation of one asset."""
    asset = story["asset"]
    about = {
        "group": asset["group_key"],
        "calendar": asset["calendar"],
        "weight": asset["weight"],
        "active": asset["is_active"],
    }
    print(f"{asset['code']}: {console.as_text(about)}")
    if not story["plan"]:
        console.say("the pipeline has no operation for this asset")
    for row in story["plan"]:
        print(f"\n{row['operation']}: {row['decision']}, {row['reason']}")
        console.print_lines(_facts(row))
    if story["decisions"]:
        print("\nlast decisions:")
        columns = ("decided_at", "run_id", "operation", "decision", "outcome", "units", "reason")
        console.print_table(story["decisions"], *columns)


def _facts(row: DictRow) -> dict[str, Any]:
    """Return the facts behind a decision by name."""
    facts = {
        "units": row["units"] or None,
        "rank": row["rank"],
        "earliest": row["run_at"],
        "refused alternative": row["alternative"],
    }
    evidence = {x: _moment(y) for x, y in row["evidence"].items()}
    return {x: y for x, y in (facts | evidence).items() if y is not None}


def _moment(value: Any) -> Any:
    """Return a time of the evidence, which is JSON, as a time; any other value as it is."""
    if isinstance(value, str) and "T" in value:
        with suppress(ValueError):
            return datetime.fromisoformat(value)
    return value

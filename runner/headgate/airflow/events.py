"""What the end of a run or step tells: counts as an XCom, and assets' events with what was brought.

Counts are the XCom `counts`. An asset of finalize_execution carries the run's counts and sessions.
An alias is named after a universe, and becomes an asset for each group of it that something was
brought for: equities/prices/LSE.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from airflow.sdk import Asset, AssetAlias
from psycopg import AsyncConnection, Connection

from headgate.airflow.calls import Row
from headgate.airflow.links import ReportLink, report_of

COUNTS: Final = "counts"
NOTE: Final = "headgate_note"
"""The XComs of an end: what was counted, and, where not all was done, a sentence on that."""
COUNTED: Final = ("planned", "succeeded", "failed", "deferred", "skipped", "units")

UNITS: Final = """
select s.units, s.skip_reason from headgate.v_execution_steps as s
where s.pipeline = %(p_pipeline)s and s.run_id = %(p_run_id)s and s.step = %(p_step)s
"""


def units(connection: Connection[Row], arguments: Row) -> Row:
    """Return what a step has cost, and why it was skipped."""
    return connection.execute(UNITS, arguments).fetchone() or {}


async def aunits(connection: AsyncConnection[Row], arguments: Row) -> Row:
    """Return what a step has cost, and why it was skipped."""
    cursor = await connection.execute(UNITS, arguments)
    return await cursor.fetchone() or {}


def counts_of(row: Row) -> Row:
    """Return the counts of an execution or a step."""
    return {name: row[name] for name in COUNTED if name in row}


def note_of(row: Row) -> str | None:
    """Return what people should see of an execution although it may be green; None: nothing."""
    if not (row["deferred"] or row["failed"]):
        return None
    said = [f"{row['succeeded']:,} of {row['planned']:,} jobs succeeded"]
    if row["deferred"]:
        said.append(f"{row['deferred']:,} were put off (headgate.v_deferrals says why)")
    if row["failed"]:
        said.append(f"{row['failed']:,} failed (headgate.v_failed_assets says why)")
    return f"{', '.join(said)}; {row['units']:,} units"


def xcoms_of(row: Row, run_id: str) -> Row:
    """Return what a step's end in the triggerer leaves for its page: its counts and its link."""
    return {COUNTS: counts_of(row), ReportLink.xcom_key: report_of(run_id)}


def tell_outlets(outlets: Iterable[Any], events: Any, totals: Row, groups: list[Row]) -> None:
    """Give the events of these outlets their extra, and each alias its assets, one by group."""
    for outlet in outlets:
        if isinstance(outlet, AssetAlias):
            universe = outlet.name.partition("/")[0]
            for group in (x for x in groups if x["universe"] == universe):
                asset = Asset(f"{outlet.name}/{group['group_key']}")
                events[outlet].add(asset, extra=group)
        else:
            events[outlet].extra.update(totals | _together(groups))


def _together(groups: list[Row]) -> Row:
    """Return what was brought as a whole; {} where nothing was."""
    if not groups:
        return {}
    firsts = [x["first_session"] for x in groups if x["first_session"]]
    lasts = [x["last_session"] for x in groups if x["last_session"]]
    return {
        "execution_id": groups[0]["execution_id"],
        "groups": sorted({x["group_key"] for x in groups}),
        "records": sum(x["records"] for x in groups),
        "first_session": min(firsts, default=None),
        "last_session": max(lasts, default=None),
    }

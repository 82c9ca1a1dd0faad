"""Results that the end of a run or step publishes: XComs with counts, and asset events.

Counts are the XCom `counts`. An asset event of finalize_execution carries the run's counts and
sessions. An alias is named after a universe, and yields one asset for each group of the universe
that received data, such as equities/prices/LSE.
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
"""XComs of an ended run: its counts, and a sentence on jobs that failed or were put off."""
COUNTED: Final = ("planned", "succeeded", "failed", "deferred", "skipped", "units")

UNITS: Final = """
select s.units, s.skip_reason from headgate.v_execution_steps as s
where s.pipeline = %(p_pipeline)s and s.run_id = %(p_run_id)s and s.step = %(p_step)s
"""


def units(connection: Connection[Row], arguments: Row) -> Row:
    """Return the units that a step cost, and its skip reason; {} for an unknown step."""
    return connection.execute(UNITS, arguments).fetchone() or {}


async def aunits(connection: AsyncConnection[Row], arguments: Row) -> Row:
    """Return the units that a step cost, and its skip reason; {} for an unknown step."""
    cursor = await connection.execute(UNITS, arguments)
    return await cursor.fetchone() or {}


def counts_of(row: Row) -> Row:
    """Return the counts of an execution or a step."""
    return {name: row[name] for name in COUNTED if name in row}


def note_of(row: Row) -> str | None:
    """Return a sentence on failed and deferred jobs, shown even for a green run; None if none."""
    if not (row["deferred"] or row["failed"]):
        return None
    said = [f"{row['succeeded']:,} of {row['planned']:,} jobs succeeded"]
    if row["deferred"]:
        said.append(f"{row['deferred']:,} were put off (headgate.v_deferrals says why)")
    if row["failed"]:
        said.append(f"{row['failed']:,} failed (headgate.v_failed_assets says why)")
    return f"{', '.join(said)}; {row['units']:,} units"


def xcoms_of(row: Row, run_id: str) -> Row:
    """Return the XComs of a step that ends in the triggerer: its counts and its report link."""
    return {COUNTS: counts_of(row), ReportLink.xcom_key: report_of(run_id)}


def tell_outlets(outlets: Iterable[Any], events: Any, totals: Row, groups: list[Row]) -> None:
    """Add extras to the events of these outlets, and to each alias one asset per group."""
    for outlet in outlets:
        if isinstance(outlet, AssetAlias):
            universe = outlet.name.partition("/")[0]
            for group in (x for x in groups if x["universe"] == universe):
                asset = Asset(f"{outlet.name}/{group['group_key']}")
                events[outlet].add(asset, extra=group)
        else:
            events[outlet].extra.update(totals | _together(groups))


def _together(groups: list[Row]) -> Row:
    """Return the totals over all groups; {} if no group received data."""
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

"""Indicator rows in the format of the handler's results."""

from __future__ import annotations

from typing import Any

from tests.db.plans.equities.feed import NOW, asset_id
from tests.plan import Plan, Row


def ingest_indicators(db: Plan, figures: dict[str, Row]) -> list[Row]:
    """Ingest a row for each listing, by code; missing figures are null."""
    rows: list[dict[str, Any]] = [
        {"asset_id": asset_id(db, code), "date": "2026-06-16", "bars": 200, "calculated_at": NOW}
        | figure
        for code, figure in figures.items()
    ]
    return db.sql(
        "select i.* from equities.ingest_indicators('{}', %(ids)s::bigint[], (select array_agg("
        "jsonb_populate_record(null::equities.technical_indicators, r.value)"
        ") from jsonb_array_elements(%(rows)s -> 'rows') as r)) as i",
        ids=[x["asset_id"] for x in rows],
        rows={"rows": rows},
    )

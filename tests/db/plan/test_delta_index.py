"""Due work is found through the one index made for it, without reading all rows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.db.toy import Toy

ASSETS = 5_000
DUE = 50
INDEX = "asset_processing_state_due_idx"
ARGUMENTS = {
    "p_operation_ids": "array(select operation_id from headgate.operations where name = 'look')",
    "p_at": "headgate.clock()",
}


@pytest.mark.parametrize("limit", ["1000", "null"], ids=["the first 1,000", "all"])
def test_due_pairs_reads_the_index_of_what_is_due(toy: Toy, limit: str):
    toy.add(ASSETS)
    toy.sql(
        "update headgate.asset_processing_state as s set next_due_at = headgate.clock() + '1 day'"
        " where s.asset_id %% %(each)s <> 0",
        each=ASSETS // DUE,
    )
    toy.sql("analyze headgate.asset_processing_state")

    assert _scans(toy, limit) == [("Index Scan", INDEX)]


def _scans(toy: Toy, limit: str) -> list[tuple[str, str | None]]:
    """Explain the function's query; return how it reads the state: scan nodes and their indexes."""
    body = toy.scalar("select prosrc from pg_proc where oid = 'headgate._due_pairs'::regproc")
    arguments = {**ARGUMENTS, "p_limit": f"{limit}::bigint"}
    query = re.sub(r"\bp_\w+\b", lambda match: f"({arguments[match[0]]})", body)
    with toy.connection.cursor() as cursor:
        cursor.execute(f"explain (format json) {query}".encode())
        row = cursor.fetchone()
    assert row is not None
    (found,) = row.values()
    return [
        (node["Node Type"], node.get("Index Name"))
        for node in _nodes(found[0]["Plan"])
        if node.get("Relation Name", INDEX) == "asset_processing_state" or INDEX in node.values()
    ]


def _nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for child in node.get("Plans", ()):
        yield from _nodes(child)

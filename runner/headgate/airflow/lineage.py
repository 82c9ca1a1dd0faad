"""OpenLineage facets of tasks, if its provider is installed: the call as SQL.

The tables that a call reads and writes are internal to the plan and not reported. Airflow itself
reports asset events.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def lineage_of(function: str, named: Mapping[str, str]) -> Any:
    """Return the facets of a task that calls this function; None if the provider is missing."""
    try:
        from airflow.providers.common.compat.openlineage.facet import SQLJobFacet
        from airflow.providers.openlineage.extractors import OperatorLineage
    except ImportError:
        return None
    arguments = ", ".join(f"{name} => {_literal(value)}" for name, value in named.items())
    query = f"select * from {function}({arguments})"
    return OperatorLineage(job_facets={"sql": SQLJobFacet(query=query)})


def _literal(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"

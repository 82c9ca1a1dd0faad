"""What our tasks tell OpenLineage, where its provider is installed: the call, as SQL.

Which tables a call reads and writes is the plan's own business; assets' events are told by Airflow.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def lineage_of(function: str, named: Mapping[str, str]) -> Any:
    """Return the facets of a task that calls this function; None without the provider."""
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

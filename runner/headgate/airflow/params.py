"""A pipeline's parameters as Airflow's Params, with titles, limits and pick lists.

They come from the snapshot, and Airflow rejects other values when a run is requested. Without a
snapshot a DAG accepts any parameter, and its first task checks them against the database.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

from airflow.sdk import Param

from headgate.airflow.snapshot import read_snapshot

FOLDER: Final = "HEADGATE_DAGS"
LARGEST: Final = 999_999_999
TYPES: Final = {
    "integer": ["integer"],
    "list": ["array"],
    "text": ["string"],
    "number": ["number"],
    "boolean": ["boolean"],
    "json": ["object", "array", "string", "number", "boolean"],
}


def known_of(pipeline: str, beside: str | None = None) -> dict[str, Any] | None:
    """Return a pipeline's entry of the snapshot in HEADGATE_DAGS or beside a file.

    None if no snapshot lists the pipeline.
    """
    given = os.environ.get(FOLDER)
    folders = [Path(x) for x in (given, beside and Path(beside).parent) if x]
    known: dict[str, Any] | None = (read_snapshot(folders) or {}).get(pipeline)
    return known


def params_of(known: dict[str, Any]) -> dict[str, Param]:
    """Return the parameters of a pipeline's entry in the snapshot."""
    return {x["parameter"]: _param(x) for x in known["parameters"]}


def _param(known: dict[str, Any]) -> Param:
    """Return one parameter; if left empty, the plan's default at the time of the run applies."""
    kind, choices, default = known["type"], known["choices"], known["default_value"]
    said = known["description"]
    if kind == "text" and choices:
        return Param(default, description=said, title=_title(known), type="string", enum=choices)
    rules: dict[str, Any] = {"type": ["null", *TYPES[kind]]}
    if kind == "integer":
        rules |= {"minimum": 0, "maximum": LARGEST}
    elif kind == "list":
        rules["items"] = {"type": "string"}
        if known["is_closed"]:
            rules["items"]["enum"] = choices or []
            rules["examples"] = choices or []  # pick list of the form; only the enum is enforced
    if default is not None:
        said = f"{said} Empty: {default}."
    return Param(None, description=said, title=_title(known), **rules)


def _title(known: dict[str, Any]) -> str:
    words: str = known["parameter"].replace("_", " ")
    return words[:1].upper() + words[1:]

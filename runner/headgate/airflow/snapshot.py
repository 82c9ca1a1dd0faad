"""Snapshot of the pipelines' parameters for Airflow's forms, in a file beside the DAGs.

It saves a query whenever a DAG file is parsed. `headgate migrate` and `headgate airflow params`
write it; the same plan gives the same bytes.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any, Final, LiteralString

from psycopg import Connection
from psycopg.rows import DictRow

from headgate import files
from headgate.errors import HeadgateError

logger = logging.getLogger(__name__)

SNAPSHOT: Final = "params.json"
PIPELINES: LiteralString = "select v.pipeline, v.description from headgate.v_pipelines as v"
DATED: LiteralString = "select d.pipeline from headgate.dated_pipelines() as d"
PARAMETERS: LiteralString = "select * from headgate.run_parameters()"


def snapshot(connection: Connection[DictRow]) -> str:
    """Return the text of the snapshot, read from the database."""
    dated = {x["pipeline"] for x in connection.execute(DATED).fetchall()}
    pipelines: dict[str, Any] = {
        x["pipeline"]: {
            "description": x["description"],
            "has_dates": x["pipeline"] in dated,
            "parameters": [],
        }
        for x in connection.execute(PIPELINES).fetchall()
    }
    for row in connection.execute(PARAMETERS).fetchall():
        pipelines[row.pop("pipeline")]["parameters"].append(row)
    return json.dumps(pipelines, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def write_snapshot(connection: Connection[DictRow], path: Path) -> bool:
    """Write the snapshot atomically; return False if the file was up to date.

    Raises HeadgateError if it cannot be written.
    """
    text = snapshot(connection)
    try:
        if path.exists() and path.read_text() == text:
            return False
        files.write(path, text, is_shared=True)
    except OSError as exc:
        raise HeadgateError(
            f"{path} cannot be written: {exc.strerror}",
            hint="name another folder in HEADGATE_DAGS, or a file: headgate airflow params --out",
        ) from exc
    logger.info("%s holds what the DAGs' forms know", path)
    return True


def read_snapshot(folders: list[Path]) -> dict[str, Any] | None:
    """Return the contents of the first valid snapshot in these folders; None if there is none."""
    for folder in folders:
        try:
            found = json.loads((folder / SNAPSHOT).read_text())
        except (OSError, ValueError):
            continue
        if isinstance(found, dict):
            return found
    return None

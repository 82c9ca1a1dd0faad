"""Reads deploy/grafana/dashboards, and their queries."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from tests.docs import ROOT

GRAFANA = ROOT / "deploy" / "grafana"
FILES = sorted((GRAFANA / "dashboards").glob("*.json"))
EVER = "'2000-01-01Z' and '2100-01-01Z'"


def read(path: Path) -> dict[str, Any]:
    """Return a dashboard."""
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def panels() -> list[tuple[str, dict[str, Any]]]:
    """Return every panel that shows something, after the name of its dashboard."""
    return [(x.stem, y) for x in FILES for y in read(x)["panels"] if y["type"] != "row"]


def targets(language: str) -> list[tuple[str, str]]:
    """Return where each query of this language (expr or rawSql) is, and its text."""
    return [
        (f"{name}: {panel['title']} {target['refId']}", target[language])
        for name, panel in panels()
        for target in panel["targets"]
        if language in target
    ]


def sql_of(text: str) -> str:
    """Return a query with Grafana's macros replaced, for all of time."""
    text = re.sub(r"\$__timeFilter\((.+?)\)", rf"\1 between {EVER}", text)
    first, last = EVER.split(" and ")
    return text.replace("$__timeFrom()", first).replace("$__timeTo()", last)

"""Reads deploy/prometheus: alerts, their tests, and the metrics that they name."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.docs import ROOT

PROMETHEUS = ROOT / "deploy" / "prometheus"
RULES = sorted((PROMETHEUS / "rules").glob("*.yml"))
TESTS = sorted((PROMETHEUS / "tests").glob("*.yml"))
SELECTED = re.compile(r"\b(?:headgate|viral|airflow|onpoint)_\w+")
GROUPED = re.compile(r"\b(\w*)\(((?:\w+\|)+\w+)\)(\w*)")


def needs(program: str, package: str) -> pytest.MarkDecorator:
    """Skip a test where a program of Debian's is not installed."""
    return pytest.mark.skipif(
        shutil.which(program) is None, reason=f"{program} is not installed (Debian's {package})"
    )


def read(path: Path) -> Any:
    """Return what a YAML file says."""
    return yaml.safe_load(path.read_text())


def rules() -> list[dict[str, Any]]:
    """Return all alerts."""
    return [rule for path in RULES for group in read(path)["groups"] for rule in group["rules"]]


def metrics_of(expression: str) -> set[str]:
    """Return the metrics that a PromQL expression names, those of a list of alternatives too."""

    def spelt_out(match: re.Match[str]) -> str:
        return " ".join(f"{match[1]}{x}{match[3]}" for x in match[2].split("|"))

    return set(SELECTED.findall(GROUPED.sub(spelt_out, expression)))

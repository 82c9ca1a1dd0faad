"""Writes the alerts of rules/ as an object for the Prometheus operator."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import yaml

RULES: Final = Path(__file__).parent / "rules"
OBJECT: Final = RULES.parents[1] / "kubernetes" / "components" / "monitoring" / "rules.yaml"


def as_object() -> dict[str, Any]:
    """Return the groups of all files as a PrometheusRule."""
    files = sorted(RULES.glob("*.yml"))
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "headgate"},
        "spec": {"groups": [x for y in files for x in yaml.safe_load(y.read_text())["groups"]]},
    }


if __name__ == "__main__":
    text = yaml.safe_dump(as_object(), sort_keys=False, width=120)
    OBJECT.write_text(f"# Written by python -m deploy.prometheus.write.\n{text}")

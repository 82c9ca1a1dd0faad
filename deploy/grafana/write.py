"""Writes each dashboard to dashboards/."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from grafana_foundation_sdk.builders.dashboard import Dashboard
from grafana_foundation_sdk.cog.encoder import JSONEncoder

from deploy.grafana.operations import operations
from deploy.grafana.quota import quota
from deploy.grafana.viral import viral

FOLDER: Final = Path(__file__).parent / "dashboards"
DASHBOARDS: Final = {
    "operations.json": operations,
    "quota-and-freshness.json": quota,
    "viral.json": viral,
}


def as_json(dashboard: Dashboard) -> str:
    """Return a dashboard as its file has it."""
    return JSONEncoder(sort_keys=True, indent=2).encode(dashboard.build()) + "\n"


if __name__ == "__main__":
    for name, dashboard in DASHBOARDS.items():
        (FOLDER / name).write_text(as_json(dashboard()))

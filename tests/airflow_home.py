"""Temporary Airflow for tests in one process: its own folder, a SQLite database, no example DAGs."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

NEEDS_AIRFLOW = pytest.mark.skipif(
    find_spec("airflow") is None, reason="needs Airflow: make test/airflow"
)
DATABASE = "airflow.db"


def environ(home: Path) -> dict[str, str]:
    """Return the variables that must be set before Airflow is first imported."""
    return {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(Path(__file__).resolve().parents[1] / "dags"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / DATABASE}",
    }


def migrated(home: Path) -> Path:
    """Return Airflow's database in a folder; create it if it is missing."""
    database, done = home / DATABASE, home / "migrated"
    if not done.exists():
        process = subprocess.run(
            [sys.executable, "-m", "airflow", "db", "migrate"],
            env=os.environ | environ(home),
            capture_output=True,
            text=True,
        )
        assert process.returncode == 0, process.stderr
        done.touch()
    return database

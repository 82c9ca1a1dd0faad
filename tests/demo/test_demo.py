"""`make run` without a token: to the end, within the quota, and again on the same day."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from headgate.database import connect, dsn_of
from headgate.demo.pipeline import DATABASE
from tests import clock
from tests.limits import PATIENCE

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def make_run(server, clone, template, tmp_path):
    """Run the demonstration on the server of the tests."""
    database = clone(template, DATABASE)
    places = {"HEADGATE_DSN": dsn_of(server), "HEADGATE_HOME": str(tmp_path)}

    def run():
        return subprocess.run(
            [sys.executable, "-m", "headgate.demo.pipeline"],
            cwd=ROOT,
            env=os.environ | places,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )

    yield run
    clone.drop(database)


def test_two_runs_on_one_day_spend_one_quota(make_run, server, tmp_path):
    first = make_run()
    second = make_run()

    assert first.returncode == 0, first.stderr
    assert "4,994 by our ledger, 4,994 by the server's (equal)" in first.stdout
    assert "look around:  HEADGATE_DATABASE=headgate_demo " in first.stdout
    assert second.returncode == 0, second.stderr
    assert "0 by our ledger, 0 by the server's (equal)" in second.stdout
    ledger = json.loads((tmp_path / "standin.json").read_text())
    assert ledger["by_day"] == {clock.NOW.date().isoformat(): 4_994}
    assert set(ledger["by_status"]) == {"200"}
    assert {row["requests"] for row in ledger["by_code"].values()} == {2}
    with connect(server.with_database(DATABASE), "test") as connection:
        count = (
            "select count(*) as all, count(distinct (asset_id, date)) as once from equities.prices"
        )
        rows = connection.execute(count).fetchall()
    assert rows[0]["all"] == rows[0]["once"] > 200_000

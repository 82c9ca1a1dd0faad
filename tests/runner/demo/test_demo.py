"""`headgate demo`, which is `make run` without a token: to its end, within the quota, and repeated."""

from __future__ import annotations

import fcntl
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from headgate.database import connect, dsn_of
from headgate.demo import DATABASE
from tests import clock
from tests.limits import PATIENCE

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def make_run(server, clone, template, tmp_path):
    """Run the demo on the tests' server."""
    database = clone(template, DATABASE)
    places = {"HEADGATE_DSN": dsn_of(server), "HEADGATE_HOME": str(tmp_path)}

    def run(*arguments):
        return subprocess.run(
            [sys.executable, "-m", "headgate", "demo", *arguments],
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
    with connect(server.with_database(DATABASE), "web http://127.0.0.1:8600/"):
        second = make_run()

    assert first.returncode == 0, first.stderr
    assert "4,994 by our ledger, 4,994 by the server's (equal)" in first.stdout
    assert "look around:  HEADGATE_DATABASE=headgate_demo " in first.stdout
    assert second.returncode == 0, second.stderr
    assert "0 by our ledger, 0 by the server's (equal)" in second.stdout
    assert "in the browser" not in first.stdout
    assert re.search(r"^next: .*: \S*headgate demo equities$", first.stdout, re.MULTILINE)
    page = "in the browser: http://127.0.0.1:8600/runs/data_collection_equities/manual-"
    assert second.stdout.splitlines()[-1].startswith(page)
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


def test_the_stand_in_allows_what_it_is_reported(make_run):
    done = make_run("--quota", "55", "--param", "exchanges=LSE")

    assert done.returncode == 0, done.stderr
    assert "a stand-in plays eodhd at http://127.0.0.1:" in done.stderr
    assert "(55 units a day)" in done.stderr
    assert "55 by our ledger, 55 by the server's (equal)" in done.stdout


def test_one_demonstration_runs_at_a_time(make_run, tmp_path):
    with (tmp_path / "demo.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = make_run()

    assert done.returncode == 1
    assert "error: another demonstration is under way\nhint: wait until it has ended" in done.stderr


def test_a_plan_without_a_demonstration_is_named_with_those_that_have_one(headgate):
    done = headgate("demo", "maintenance", HEADGATE_DSN="host=nowhere.invalid")

    assert done.returncode == 1
    assert (
        "error: the plan 'maintenance' has no demonstration [HG008]\n"
        "hint: one of: equities, freshpoc, onpoint, recommender, viral; " in done.stderr
    )

"""A canary token in a full run with all kinds of answers: it is in the runner, and nowhere else."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from psycopg import sql

from headgate.database import connect, dsn_of
from headgate.demo.eodhd import Options, Process, spawn
from headgate.embedded.server import binaries
from headgate.settings import Settings
from tests.acceptance.ledger import jobs
from tests.acceptance.system import System, killed_at_the_end
from tests.limits import PATIENCE

CANARY = "canary-7f3a9c/e+5%d1"
PIECES = (
    "canary-7f3a9c",
    "7f3a9c%2Fe",
    "Y2FuYXJ5",
)  # plain, as escaped in a URL, and the start of its base64 form
ACTIVITY = "select string_agg(query, ' ') as said from pg_stat_activity"
TROUBLE: list[dict[str, Any]] = [
    {"match": {"every": 9}, "fault": {"kind": "wrong_json", "body": {"echo": CANARY}}},
    {"match": {"every": 8}, "fault": {"kind": "status", "status": 500}},
    {"match": {"every": 7}, "fault": {"kind": "status", "status": 404}},
    {"match": {"every": 6}, "fault": {"kind": "redirect"}},
    {"match": {"every": 5}, "fault": {"kind": "drop", "where": "unanswered"}},
    {"match": {"every": 4}, "fault": "html_200"},
]


@pytest.fixture
def canary(database: Settings, tmp_path: Path) -> Iterator[System]:
    """A system whose provider requires the canary, and whose server logs every statement."""
    if database.dsn is not None:
        pytest.skip("reads the server's log, which only the embedded one keeps here")
    with spawn(Options(quota=None, rate=None, tokens=(CANARY,))) as standin:
        with connect(database, "test") as connection:
            for name, value in (("log_statement", "all"), ("log_min_duration_statement", "0")):
                connection.execute(
                    sql.SQL("alter database {} set {} = {}").format(
                        sql.Identifier(database.database), sql.Identifier(name), sql.Literal(value)
                    )
                )
        with killed_at_the_end(System(database, standin, tmp_path)) as system:
            yield prepared(system, standin)


def prepared(system: System, standin: Process) -> System:
    changes = {"base_url": standin.api, "quota": 100_000, "buffer": 0}
    system.set_provider(**changes, requests_per_minute=None, breaker_failures=1000)
    system.set_operations(backoff="100 ms")
    system.shorten_histories()
    return system


def test_a_token_is_in_no_table_no_log_no_error_and_no_statement(canary: System):
    seen: list[str] = []
    is_over = threading.Event()
    watcher = threading.Thread(target=watch, args=(canary, is_over, seen))
    watcher.start()
    canary.standin.set_faults([*TROUBLE, {"match": {"after": 40}, "fault": "hold"}])
    codes = canary.codes(60)
    run_id = canary.start(tickers=codes)
    worker = canary.spawn("--verbose", "worker", "--concurrency=20")
    canary.wait_for_requests(40)
    canary.wait(lambda: len(seen) > 20, "looks at what the runner does")
    canary.standin.set_faults(TROUBLE)
    canary.wait_for_end(run_id)
    refused = canary.spawn(
        "run",
        "data_collection_equities",
        f"--param=tickers={codes[-1]}",
        EODHD_API_TOKEN="x" + CANARY,
    )
    refused.wait(PATIENCE)
    is_over.set()
    watcher.join()

    ended = jobs(canary, run_id)
    assert ended["success"] > 30 and ended["failed"] > 3, "all kinds of answers came"
    for what, text in {
        "pg_stat_activity": " ".join(seen),
        "the worker's log": canary.said(worker),
        "a refused run": canary.said(refused),
        "the database": dumped(canary.settings),
        "the server's log": server_log(canary.settings),
    }.items():
        assert [x for x in PIECES if x in text] == [], what
    assert "headgate.complete_jobs" in server_log(canary.settings)


def watch(system: System, is_over: threading.Event, seen: list[str]) -> None:
    with connect(system.settings, "watch") as connection:
        while not is_over.wait(0.02):
            row = connection.execute(ACTIVITY).fetchone()
            seen.append(row["said"] if row else "")


def dumped(settings: Settings) -> str:
    """Return all rows of all tables of the database, as text."""
    command = [str(binaries() / "pg_dump"), "--data-only", "--inserts", dsn_of(settings)]
    command += ["--exclude-table-data=headgate.trading_sessions"]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ, check=True)
    assert "asset_processing_details" in done.stdout
    return done.stdout


def server_log(settings: Settings) -> str:
    """Return the embedded server's log: every statement, with its parameters."""
    return (settings.home / "postgres" / "server.log").read_text(errors="replace")

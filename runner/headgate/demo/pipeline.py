"""`make run` without a token: the equities pipeline against the stand-in, in a database of its own.

The stand-in's book lies in HEADGATE_HOME and so outlives it: a second run on the same day finds the
quota as the first one left it, as it would be with the real provider.
"""

from __future__ import annotations

import fcntl
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import typer
from psycopg import Connection
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from headgate.cli import command_line
from headgate.cli.commands import console
from headgate.cli.commands.migrate import migrate
from headgate.cli.commands.options import Params
from headgate.cli.commands.run import run
from headgate.database import dsn_of
from headgate.demo.eodhd import Options, Process, spawn
from headgate.errors import HeadgateError
from headgate.settings import Settings

DATABASE = "headgate_demo"
PIPELINE = "data_collection_equities"
QUOTA = 5_000
RATE = 12_000
"""Requests a minute: twelve times what the service allows, so that nobody waits for a demo."""

SET_PROVIDER = """
select * from headgate.set_provider(p_provider => 'eodhd', p_changes => %(changes)s)
"""
UNITS = """
select e.run_id, e.units
from headgate.v_recent_executions as e
where e.pipeline = %(pipeline)s
order by e.started_at desc
limit 10
"""
NEXT = """\
The bars were made up, and are kept apart in the database {database}. Try `make run` again: nothing
is asked for twice. With EODHD_API_TOKEN set it goes to the real service.
"""


def demo(param: Params = None) -> None:
    """Migrate, start the stand-in, run the pipeline, and compare the two books."""
    migrate()
    settings = Settings.from_env()
    with alone(settings):
        ledger = settings.home / "standin.json"
        with spawn(Options(quota=QUOTA, rate=RATE, dsn=dsn_of(settings), ledger=ledger)) as standin:
            code = run_against(standin, settings, param)
    raise typer.Exit(code)


def run_against(standin: Process, settings: Settings, param: list[str] | None) -> int:
    """Run the pipeline as `headgate run` does; return its exit code."""
    os.environ["EODHD_API_TOKEN"] = standin.token
    changes = {
        "base_url": standin.api,
        "quota": QUOTA,
        "buffer": 0,
        "requests_per_minute": RATE,
    }
    with console.open_database(settings, "demo", role=None) as connection:
        connection.execute(SET_PROVIDER, {"changes": Jsonb(changes)})
        before = units_by_run(connection)
    served = standin.ledger()["served_units"]
    code = 0
    try:
        run(PIPELINE, param=param)
    except typer.Exit as exc:
        code = exc.exit_code
    theirs = standin.ledger()["served_units"] - served
    with console.open_database(settings, "demo") as connection:
        after = units_by_run(connection)
    ours = sum(after.values()) - sum(before.get(run_id, 0) for run_id in after)
    verdict = "equal" if ours == theirs else f"{abs(ours - theirs):,} apart"
    print(f"units of this run: {ours:,} by our ledger, {theirs:,} by the server's ({verdict})\n")
    print(NEXT.format(database=DATABASE))
    return code


def units_by_run(connection: Connection[DictRow]) -> dict[str, int]:
    """Return what our ledger says that the latest runs cost."""
    rows = connection.execute(UNITS, {"pipeline": PIPELINE})
    return {row["run_id"]: row["units"] for row in rows}


@contextmanager
def alone(settings: Settings) -> Iterator[None]:
    """Keep a second run of this demonstration out; a crash frees the lock."""
    with (settings.home / "demo.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            raise HeadgateError(
                "another `make run` or `make airflow` is under way",
                hint="wait until it has ended, or stop it",
            ) from exc
        yield


if __name__ == "__main__":
    os.environ["HEADGATE_DATABASE"] = DATABASE
    sys.argv.insert(1, "demo")
    command_line.app.command()(demo)
    command_line.main()

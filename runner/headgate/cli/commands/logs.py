"""`headgate logs`: shows the events of a run from the database's history."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from datetime import datetime, timedelta
from typing import Annotated, Any

import typer
from psycopg import Connection
from psycopg.rows import DictRow

from headgate.cli.commands import console
from headgate.cli.commands.options import AsJson, OfPipeline, RunId
from headgate.cli.commands.status import find_run
from headgate.database import READER, connect, mapped_errors
from headgate.errors import ServerUnreachable
from headgate.notifications import note_changes
from headgate.reports import ENDED, EXECUTIONS
from headgate.sessions import BinaryCursor
from headgate.settings import Settings

logger = logging.getLogger(__name__)

SHORTEST_PAUSE = 0.5
"""Seconds between two looks, however much happens."""
OVERLAP = timedelta(minutes=1)
"""Period read again: a line has its transaction's start time but appears at the commit."""

LOG = """
select * from headgate.run_log(
    p_pipeline => %(pipeline)s, p_run_id => %(run_id)s, p_since => %(since)s::timestamptz)
"""


def logs(
    run_id: RunId,
    pipeline: OfPipeline = None,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on until the run has ended, or Ctrl-C.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show the events of a run: steps, jobs, deferrals, alerts and operators' actions."""
    if follow and as_json:
        raise typer.BadParameter("--json is one document: not with --follow", param_hint="--json")
    settings = console.ready_settings()
    with console.open_database(settings, "logs") as connection, mapped_errors():
        run = find_run(connection, settings, pipeline, run_id)
        names = {"pipeline": run["pipeline"], "run_id": run_id}
        rows = connection.execute(LOG, {**names, "since": None}).fetchall()
    if as_json:
        console.print_json(rows)
        return
    with Tail(settings, names) as tail:
        if follow:
            asyncio.run(_follow(settings, tail, rows))
        else:
            tail.print(rows)


async def _follow(settings: Settings, tail: Tail, rows: list[DictRow]) -> None:
    """Print the lines read so far, then what is new after each change, until the run has ended.

    All in one loop: a Ctrl-C while asyncio makes its loop leaves a traceback.
    """
    tail.print(rows)
    changed = asyncio.Event()
    listener = asyncio.create_task(note_changes(settings, "logs, listening", changed))
    listener.add_done_callback(lambda _: changed.set())  # it ends by an error only
    try:
        while True:
            began = time.monotonic()
            if not tail.look():
                changed.set()
            if tail.has_ended:
                return
            await asyncio.sleep(max(SHORTEST_PAUSE, 4 * (time.monotonic() - began)))
            await changed.wait()
            changed.clear()
            if listener.done():
                listener.result()
    finally:
        listener.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await listener


class Tail:
    """Printer of a run's new lines, which reconnects to a server that was away."""

    has_ended = False

    def __init__(self, settings: Settings, names: dict[str, Any]) -> None:
        self._settings = settings
        self._names = names
        self._printed: set[tuple[Any, ...]] = set()
        self._newest: datetime | None = None
        self._connection: Connection[DictRow] | None = None

    def __enter__(self) -> Tail:
        return self

    def __exit__(self, *_: object) -> None:
        if self._connection is not None:
            self._connection.close()

    def print(self, rows: list[DictRow]) -> None:
        """Print the lines that were not printed before."""
        for row in rows:
            line = tuple(row.values())
            if line not in self._printed:
                self._printed.add(line)
                print(_as_line(row), flush=True)
        if rows:
            self._newest = rows[-1]["logged_at"]

    def look(self) -> bool:
        """Print new lines; return whether the server answered."""
        try:
            with mapped_errors():
                if self._connection is None:
                    self._connection = connect(
                        self._settings, "logs", role=READER, cursor_factory=BinaryCursor
                    )
                self._look(self._connection)
        except ServerUnreachable as exc:
            if self._connection is not None:
                logger.warning("%s; trying again", exc)
            self._connection = None
            return False
        return True

    def _look(self, connection: Connection[DictRow]) -> None:
        """Print new lines; read an ended run from its start, to include late commits."""
        run = connection.execute(EXECUTIONS, {**self._names, "limit": 1}).fetchone()
        ended = run is None or run["status"] in ENDED
        since = None if ended or self._newest is None else self._newest - OVERLAP
        if run is not None:
            self.print(connection.execute(LOG, {**self._names, "since": since}).fetchall())
        self.has_ended = ended


def _as_line(row: DictRow) -> str:
    step = f"{row['step']}: " if row["step"] else ""
    message = " ".join(row["message"].split())
    return f"{console.as_text(row['logged_at'])} {row['severity']:7} {step}{message}"

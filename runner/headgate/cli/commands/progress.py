"""Progress of a run: bars on a terminal, otherwise a log line every few seconds."""

from __future__ import annotations

import asyncio
import logging
import time
from types import TracebackType
from typing import Any, Protocol

from psycopg import Connection
from psycopg.rows import DictRow
from rich.console import Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn
from rich.text import Text

from headgate.cli.commands import console
from headgate.cli.commands.facts import held, waits
from headgate.database import READER, connect, mapped_errors
from headgate.errors import ServerUnreachable
from headgate.reports import ENDED, EXECUTIONS, held_up, leases_of, now_of, steps_of
from headgate.sessions import BinaryCursor
from headgate.settings import Settings

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.5
LOG_SECONDS = 10.0
STILL_LOOKS = 4
"""Polls after which the waiting jobs are read again if the run stands still."""
MOVING_LOOKS = 20
"""Polls after which the waiting jobs are read again if jobs are ending."""


class Watch:
    """Watcher that polls a run twice a second until it has ended, through its own connection."""

    def __init__(self, settings: Settings, pipeline: str, run_id: str) -> None:
        self.ours: tuple[str, ...] = ()
        """Name prefixes of this command's runners, whose leases are not reported as waiting."""
        self._settings = settings
        self._names = {"pipeline": pipeline, "run_id": run_id, "limit": 1}
        self._connection: Connection[DictRow] | None = None
        self._steps: list[DictRow] = []
        self._still = 0
        self._looks = 0
        self._waiting: list[str] = []

    async def until_ended(self, ended: asyncio.Event) -> None:
        """Show progress; set `ended` when the run has ended, and also on an error."""
        try:
            with _Bars() if console.err().is_terminal else _Lines(self._names) as display:
                while not await asyncio.to_thread(self._look, display):
                    await asyncio.sleep(POLL_SECONDS)
            ended.set()
        except Exception:
            ended.set()
            raise
        finally:
            if self._connection is not None:
                self._connection.close()

    def _look(self, display: _Display) -> bool:
        """Show progress once and return whether the run has ended; reconnect later if needed."""
        try:
            with mapped_errors():
                if self._connection is None:
                    self._connection = connect(
                        self._settings, "progress", role=READER, cursor_factory=BinaryCursor
                    )
                run = self._connection.execute(EXECUTIONS, self._names).fetchone()
                if run is None or run["status"] in ENDED:
                    return True
                steps = steps_of(self._connection, run)
                self._still = self._still + 1 if steps == self._steps else 0
                self._steps = steps
                self._looks += 1
                if display.is_due():
                    if self._looks >= (STILL_LOOKS if self._still >= STILL_LOOKS else MOVING_LOOKS):
                        self._looks = 0
                        self._waiting = self._waits(self._connection, run)
                    display.update(steps, self._waiting)
        except ServerUnreachable as exc:
            logger.debug("progress: %s", exc)
            self._connection = None
        return False

    def _waits(self, connection: Connection[DictRow], run: DictRow) -> list[str]:
        """Return lines on what holds the run up.

        Leases of other runners are included if the runner is silent or no job has ended lately.
        """
        now = now_of(connection)
        leases = [x for x in leases_of(connection, run) if not x["runner"].startswith(self.ours)]
        gone = {x["reason"] for x in leases if x["is_silent"]}
        rows = [x for x in held_up(connection, run) if x["reason"] not in gone]
        found = waits(rows, now)
        found += held([x for x in leases if x["is_silent"] or self._still >= STILL_LOOKS], now)
        if run["status"] == "paused" and not found:
            found.append("the pipeline is paused")
        return found


class _Display(Protocol):
    """Display of steps and of what holds them up."""

    def __enter__(self) -> _Display: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def is_due(self) -> bool:
        """Return whether it is time for an update."""

    def update(self, steps: list[DictRow], waiting: list[str]) -> None:
        """Show the current state of the steps."""


class _Bars:
    """Display with a bar for each step that has jobs, and lines on what waits below."""

    def __init__(self) -> None:
        self._tasks: dict[str, TaskID] = {}
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[faults]}"),
            console=console.err(),
        )
        self._waiting = Text()
        self._live = Live(Group(self._progress, self._waiting), console=console.err())

    def __enter__(self) -> _Bars:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._waiting.plain = ""
        self._live.stop()

    def is_due(self) -> bool:
        """Return True: the bars are updated at every poll."""
        return True

    def update(self, steps: list[DictRow], waiting: list[str]) -> None:
        """Update the bars."""
        for step in steps:
            if not step["planned"]:
                continue
            name = step["step"]
            if name not in self._tasks:
                self._tasks[name] = self._progress.add_task(name, faults="")
            self._progress.update(
                self._tasks[name],
                total=step["planned"],
                completed=_done(step),
                faults=_faults(step),
            )
        self._waiting.plain = "\n".join(waiting)


class _Lines:
    """Display with one log line per LOG_SECONDS, which names the run for those who collect it."""

    def __init__(self, run: dict[str, Any]) -> None:
        self._run = {x: run[x] for x in ("pipeline", "run_id")}
        self._next = time.monotonic() + LOG_SECONDS

    def __enter__(self) -> _Lines:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def is_due(self) -> bool:
        """Return whether LOG_SECONDS have passed since the last line."""
        return time.monotonic() >= self._next

    def update(self, steps: list[DictRow], waiting: list[str]) -> None:
        """Log the state of the steps, and what waits."""
        self._next = time.monotonic() + LOG_SECONDS
        parts = [
            f"{x['step']} {_done(x):,}/{x['planned']:,} {_faults(x)}".rstrip()
            for x in steps
            if x["planned"]
        ]
        logger.info("%s", "; ".join([*parts, *waiting]) or "nothing planned yet", extra=self._run)


def _done(step: dict[str, Any]) -> int:
    return int(step["succeeded"] + step["failed"] + step["deferred"] + step["skipped"])


def _faults(step: dict[str, Any]) -> str:
    found = [f"{step[x]:,} {x}" for x in ("failed", "deferred") if step[x]]
    return f"({', '.join(found)})" if found else ""

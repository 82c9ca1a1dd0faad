"""How far a run is: bars on a terminal, a log line now and then elsewhere."""

from __future__ import annotations

import asyncio
import logging
import time
from types import TracebackType
from typing import Any, Protocol

from psycopg import Connection
from psycopg.rows import DictRow
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

from runner.commands import console
from runner.commands.status import EXECUTIONS, steps_of
from runner.database import connect, mapped_errors
from runner.errors import ServerUnreachable
from runner.sessions import BinaryCursor
from runner.settings import Settings

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.5
LOG_SECONDS = 10.0
ENDED = ("succeeded", "failed", "cancelled")


class Watch:
    """Looks at a run twice a second until it has ended, through a connection of its own."""

    def __init__(self, settings: Settings, pipeline: str, run_id: str) -> None:
        self._settings = settings
        self._pipeline = pipeline
        self._run_id = run_id
        self._connection: Connection[DictRow] | None = None

    async def until_ended(self, ended: asyncio.Event) -> None:
        """Show progress; set `ended` when the run has ended, and whenever this ends itself."""
        try:
            with _Bars() if console.ERR.is_terminal else _Lines() as display:
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
        """Show how far the run is; a server that is gone is asked again later."""
        try:
            with mapped_errors():
                if self._connection is None:
                    self._connection = connect(
                        self._settings, "progress", cursor_factory=BinaryCursor
                    )
                names = {"pipeline": self._pipeline, "run_id": self._run_id, "limit": 1}
                run = self._connection.execute(EXECUTIONS, names).fetchone()
                display.update(steps_of(self._connection, self._pipeline, self._run_id))
        except ServerUnreachable as exc:
            logger.debug("progress: %s", exc)
            self._connection = None
            return False
        return run is None or run["status"] in ENDED


class _Display(Protocol):
    """Shows steps."""

    def __enter__(self) -> _Display: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def update(self, steps: list[DictRow]) -> None:
        """Show where the steps are now."""


class _Bars:
    """One bar for each step that has jobs."""

    def __init__(self) -> None:
        self._tasks: dict[str, TaskID] = {}
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[faults]}"),
            console=console.ERR,
        )

    def __enter__(self) -> _Bars:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def update(self, steps: list[DictRow]) -> None:
        """Move the bars."""
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


class _Lines:
    """One log line per interval."""

    def __init__(self) -> None:
        self._next = time.monotonic() + LOG_SECONDS

    def __enter__(self) -> _Lines:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def update(self, steps: list[DictRow]) -> None:
        """Log where the steps are, when it is time to."""
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + LOG_SECONDS
        parts = [
            f"{x['step']} {_done(x):,}/{x['planned']:,} {_faults(x)}".rstrip()
            for x in steps
            if x["planned"]
        ]
        logger.info("%s", "; ".join(parts) or "nothing planned yet")


def _done(step: dict[str, Any]) -> int:
    return int(step["succeeded"] + step["failed"] + step["deferred"] + step["skipped"])


def _faults(step: dict[str, Any]) -> str:
    found = [f"{step[x]:,} {x}" for x in ("failed", "deferred") if step[x]]
    return f"({', '.join(found)})" if found else ""

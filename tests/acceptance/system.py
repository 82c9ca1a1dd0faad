"""The whole system: a database, the stand-in, and runners in their own processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from headgate.database import connect, dsn_of
from headgate.demo.eodhd import Process
from headgate.settings import Settings
from tests import clock
from tests.limits import PATIENCE, wait_while_at_work
from tests.plan import Plan, Row
from tests.servers import DB

PIPELINE = "data_collection_equities"
TOKEN = "EODHD_API_TOKEN"
HISTORY_DAYS = 60


@dataclass
class System:
    """A test's own database and clock, with the stand-in and the processes that work on it."""

    settings: Settings
    standin: Process
    folder: Path
    at: datetime = clock.NOW
    processes: list[subprocess.Popen[str]] = field(default_factory=list)
    opened_at: datetime = field(init=False)
    _plan: Plan | None = None

    def __post_init__(self) -> None:
        self.opened_at = self.at
        self.set_clock(self.at)
        self.set_operations(timeout=f"{PATIENCE:.0f} seconds")

    @property
    def plan(self) -> Plan:
        """Return a connection to the database; reconnect if the server was away."""
        if self._plan is None or self._plan.connection.closed or self._plan.connection.broken:
            self._plan = Plan(connect(self.settings, "test"))
        return self._plan

    def set_clock(self, at: datetime) -> None:
        """Move the clocks of database and stand-in. Runners keep their sessions' clock, so kill them."""
        self.kill()
        self.at = at
        self.plan.connection.execute(clock.moved(self.settings.database, at))
        self.plan.offset_clock(clock.offset_to(at))
        self.standin.set_clock(at)

    def set_provider(self, **changes: Any) -> None:
        """Change the provider's settings."""
        self.plan.call("set_provider", p_provider="eodhd", p_changes=changes)

    def set_operations(self, **settings: str) -> None:
        """Change settings of the provider's operations: lease='2 seconds'."""
        for name, value in settings.items():
            self.plan.connection.execute(
                sql.SQL(
                    "update headgate.operations as o set {} = {} from headgate.providers as p "
                    "where p.provider_id = o.provider_id and p.name = 'eodhd'"
                ).format(sql.Identifier(name), sql.Literal(value))
            )

    @property
    def first_day(self) -> str:
        """Return the first day of the requested histories."""
        return (self.opened_at - timedelta(days=HISTORY_DAYS)).date().isoformat()

    def shorten_histories(self) -> None:
        """Request only a few weeks of bars: these tests are not about bars."""
        self.plan.sql(
            "update headgate.operations set query = query || jsonb_build_object("
            "'from', %(first_day)s::text) where name = 'prices_historical'",
            first_day=self.first_day,
        )

    def codes(self, count: int, group_key: str = "US") -> list[str]:
        """Return codes of the shipped listings."""
        rows = self.plan.sql(
            "select code from headgate.assets where universe = 'equities' "
            "and group_key = %(group_key)s order by code limit %(count)s",
            count=count,
            group_key=group_key,
        )
        return [row["code"] for row in rows]

    def hold(self, after: int = 0) -> None:
        """Answer the first `after` calls at once, and hold the others."""
        self.standin.set_faults([{"match": {"after": after}, "fault": "hold"}])

    def disconnect(self) -> None:
        """Answer all calls, including held ones."""
        self.standin.set_faults([])

    def expire_leases(self) -> None:
        """Expire all leases."""
        leased = "select chunk_id from headgate.chunks where state = 'leased'"
        self.plan.expire(*self.plan.sql(leased))

    # ------------------------------------------------------------------ work

    def start(self, **params: Any) -> str:
        """Start a run that Headgate's runners drive; return its run id."""
        return str(self.plan.value("run_pipeline", p_pipeline=PIPELINE, p_params=params))

    def worker(
        self, *, concurrency: int = 20, entrance: Sequence[str] = (), **environ: str
    ) -> subprocess.Popen[str]:
        """Start a runner."""
        return self.spawn("worker", f"--concurrency={concurrency}", entrance=entrance, **environ)

    def spawn(
        self, *arguments: str, entrance: Sequence[str] = (), **environ: str
    ) -> subprocess.Popen[str]:
        """Start the command line in its own process, with its output in a file.

        `entrance` is a command that runs another one, such as in a namespace.
        """
        log = self.folder / f"{len(self.processes)}.log"
        with log.open("w") as file:
            process = subprocess.Popen(
                [*entrance, sys.executable, "-m", "headgate", *arguments],
                cwd=DB.parent,
                env=self.environ() | environ,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )
        self.processes.append(process)
        return process

    def said(self, process: subprocess.Popen[str]) -> str:
        """Return a process's output so far."""
        return (self.folder / f"{self.processes.index(process)}.log").read_text()

    def run(self, *params: str, **environ: str) -> tuple[int, str]:
        """Run `headgate run` to its end; return its exit code and output."""
        given = [f"--param={param}" for param in params]
        process = self.spawn("run", PIPELINE, *given, **environ)
        return process.wait(PATIENCE), self.said(process)

    def environ(self) -> dict[str, str]:
        """Return the environment of a process that works on this system."""
        known = {"HEADGATE_DB": str(self.settings.db), TOKEN: self.standin.token}
        if self.settings.dsn is None:
            home, database = str(self.settings.home), self.settings.database
            return os.environ | known | {"HEADGATE_HOME": home, "HEADGATE_DATABASE": database}
        return os.environ | known | {"HEADGATE_DSN": dsn_of(self.settings)}

    def stop(self) -> None:
        """End all processes and the connection, which would block dropping the database."""
        self.kill()
        if self._plan is not None:
            self._plan.connection.close()

    def kill(self) -> None:
        """End all processes that still run."""
        for process in self.processes:
            process.kill()
            process.wait()

    # --------------------------------------------------------------- waiting

    def wait_for_requests(self, count: int) -> None:
        """Wait until the stand-in has received `count` requests."""
        self.wait(lambda: self.standin.ledger()["requests"] >= count, f"{count} requests")

    def wait_for_end(self, run_id: str) -> Row:
        """Wait until the run has ended; return its row."""
        self.wait(lambda: self.execution(run_id)["finished_at"] is not None, f"the end of {run_id}")
        return self.execution(run_id)

    def wait(self, condition: Callable[[], object], what: str) -> None:
        """Wait until a condition is true; fail once no process runs that could make it true."""
        wait_while_at_work(condition, what, self.processes, lambda: self.said(self.processes[-1]))

    def execution(self, run_id: str) -> Row:
        """Return the run's row; an unfinished one if the server is away."""
        try:
            (row,) = self.plan.sql(
                "select * from headgate.process_executions where run_id = %(run_id)s", run_id=run_id
            )
        except psycopg.OperationalError:
            return {"finished_at": None}
        return row

    def last_run(self) -> Row:
        """Return the latest run's row."""
        (row,) = self.plan.sql(
            "select * from headgate.process_executions order by execution_id desc limit 1"
        )
        return row


def end(process: subprocess.Popen[str], number: signal.Signals) -> int:
    """Send a signal to a process, wait for its end, and return its exit code."""
    process.send_signal(number)
    return process.wait(PATIENCE)


@contextmanager
def killed_at_the_end(system: System) -> Iterator[System]:
    """Stop the system at the end of the block."""
    try:
        yield system
    finally:
        system.stop()


def as_param(codes: Iterable[str]) -> str:
    """Return a list of codes as a --param value."""
    return "tickers=" + ",".join(codes)

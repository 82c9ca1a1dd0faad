"""FreshPoC's pipeline and stand-ins for its services on real ports, with runners in their own processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from headgate.cli import command_line
from headgate.database import connect, dsn_of
from headgate.demo.services import StandIn, freshpoc, running
from headgate.demo.services.stage import locate
from headgate.settings import Settings
from tests.limits import PATIENCE, wait_while_at_work
from tests.plan import Plan, Row
from tests.servers import DB

PIPELINE = "FreshPoC_E2E"
CALLED = ("ingestion", "miner", "analyzer", "writer", "reporting")
STEPS = ("ingestion_trigger", "miner_run", "analyzer_run", "writer_apply", "report_generate")


@dataclass
class Poc:
    """The pipeline and its services."""

    settings: Settings
    services: dict[str, StandIn]
    folder: Path
    plan: Plan
    processes: list[subprocess.Popen[str]] = field(default_factory=list)

    def move(self, service: str, url: str) -> None:
        """Set a service's address, as a deployment does."""
        locate(self.plan.connection, "freshpoc", {service: url})

    def tune(self, **columns: Any) -> None:
        """Change the operations' rows: max_attempts=3."""
        for name, value in columns.items():
            self.plan.sql(
                f"update headgate.operations set {name} = %(value)s where name like 'freshpoc%%'",
                value=value,
            )

    def environ(self) -> dict[str, str]:
        """Return the variables of a command that works on this database."""
        known = {"HEADGATE_DB": str(self.settings.db)}
        if self.settings.dsn is None:
            known["HEADGATE_HOME"] = str(self.settings.home)
            known["HEADGATE_DATABASE"] = self.settings.database
        else:
            known["HEADGATE_DSN"] = dsn_of(self.settings)
        return known

    def spawn(self, *arguments: str) -> subprocess.Popen[str]:
        """Start the command line in its own process."""
        with (self.folder / f"{len(self.processes)}.log").open("w") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "headgate", *arguments],
                cwd=DB.parent,
                env=os.environ | self.environ(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )
        self.processes.append(process)
        return process

    def command(self, *arguments: str) -> tuple[int, str]:
        """Run a command to its end; return its exit code and output.

        It runs in this process, which has imported already what a process of its own imports for half a second.
        """
        said = StringIO()
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(said), redirect_stderr(said):
            for name, value in self.environ().items():
                patch.setenv(name, value)
            patch.setattr(sys, "argv", ["headgate", *arguments])
            patch.setattr(command_line, "configure_logging", lambda **_: None)
            alarm = threading.Timer(PATIENCE, os.kill, (os.getpid(), signal.SIGINT))
            alarm.start()
            try:
                with pytest.raises(SystemExit) as ended:
                    command_line.main()
            finally:
                alarm.cancel()
        return int(ended.value.code or 0), said.getvalue()

    def start(self) -> str:
        """Start a run that no runner works on yet; return its id."""
        self.plan.call("run_pipeline", p_pipeline=PIPELINE)
        return str(self.last_run()["run_id"])

    def recover(self, function: str, **more: Any) -> None:
        """Call a function on the latest run, as an operator does in psql."""
        run_id = self.last_run()["run_id"]
        self.plan.call(function, p_pipeline=PIPELINE, p_run_id=run_id, **more)

    def end(self) -> Row:
        """Wait until the latest run has ended; return it."""
        self.wait(lambda: self.last_run()["finished_at"], "the end of the run")
        return self.last_run()

    def run(self, *arguments: str) -> tuple[int, str]:
        """Run the pipeline to its end."""
        return self.command("run", PIPELINE, *arguments)

    def last_run(self) -> Row:
        """Return the latest run."""
        return self.plan.sql(
            "select * from headgate.process_executions order by execution_id desc limit 1"
        )[0]

    def statuses(self) -> dict[str, str]:
        """Return the statuses of the latest run's steps that make calls."""
        rows = self.plan.sql(
            "select s.step, s.status from headgate.process_steps as s"
            " where s.execution_id = %(id)s order by s.position",
            id=self.last_run()["execution_id"],
        )
        return {x["step"]: x["status"] for x in rows if x["step"] in STEPS}

    def errors(self) -> list[str]:
        """Return the reasons of the latest run's unsuccessful jobs."""
        rows = self.plan.sql(
            "select d.reason from headgate.asset_processing_details as d"
            " where d.execution_id = %(id)s and d.status <> 'success' order by d.ended_at",
            id=self.last_run()["execution_id"],
        )
        return [x["reason"] for x in rows]

    def served(self) -> list[int]:
        """Return the number of calls that each service in the chain has served."""
        return [self.services[x].served for x in CALLED]

    def wait(self, condition: Callable[[], object], what: str) -> None:
        """Wait until a condition is true; fail once no process runs that could make it true."""
        last = self.folder / f"{len(self.processes) - 1}.log"
        wait_while_at_work(condition, what, self.processes, last.read_text)


@pytest.fixture
def poc(small_database: Settings, tmp_path: Path) -> Iterator[Poc]:
    """Point the plan's addresses at stand-ins."""
    with running(freshpoc.services()) as services, connect(small_database, "test") as connection:
        poc = Poc(small_database, services, tmp_path, Plan(connection))
        for name in CALLED:
            poc.move(name, services[name].url)
        connection.commit()
        try:
            yield poc
        finally:
            for process in poc.processes:
                process.kill()
                process.wait()

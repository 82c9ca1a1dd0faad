"""All of Airflow as `headgate airflow start` runs it, on a server and a stand-in of its own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, LiteralString

import httpx
import psutil
import psycopg

from runner.database import connect
from runner.errors import ServerUnreachable
from runner.migrate import migrate
from runner.server import Running as Postgres
from runner.server import Server
from runner.settings import Settings
from tests.acceptance.house import wait_until
from tests.plan import Plan, Row
from tests.servers import DB, PARAMETERS, scratch_folder
from tests.standin import Options, Process, spawn

HEADGATE = (sys.executable, "-m", "runner", "airflow")
START_SECONDS = 600.0
AIRFLOWS_OWN = ("::", "Trigger fired event", "trigger completed")


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class Running:
    """The stack that runs, seen through its two windows: Airflow's API and the plan."""

    settings: Settings
    standin: Process
    process: subprocess.Popen[str]
    port: int
    environ: dict[str, str]
    _plan: Plan | None = None
    _client: httpx.Client | None = None

    @property
    def folder(self) -> Path:
        """Return Airflow's folder."""
        return self.settings.home / "airflow"

    @property
    def plan(self) -> Plan:
        """Return a connection, a new one when the server had gone."""
        if self._plan is None or self._plan.connection.closed or self._plan.connection.broken:
            self._plan = Plan(connect(self.settings, "test"))
        return self._plan

    def rows(self, query: Any, **arguments: Any) -> list[Row]:
        """Look into the database, also while it is being started again."""
        while True:
            try:
                return self.plan.sql(query, **arguments)
            except (psycopg.OperationalError, ServerUnreachable):
                time.sleep(0.2)

    def api(self, path: str, given: Any = None) -> Any:
        """Ask Airflow, or tell it something."""
        client = self.client
        answer = client.get(path) if given is None else client.post(path, json=given)
        assert answer.is_success, answer.text
        return answer.json()

    @property
    def client(self) -> httpx.Client:
        """Return a client that has logged in."""
        if self._client is None:
            login = json.loads((self.folder / "login.json").read_text())
            given = {"username": "admin", "password": login["admin"]}
            url = f"http://127.0.0.1:{self.port}"
            token = httpx.post(f"{url}/auth/token", json=given, timeout=60).json()["access_token"]
            headers = {"Authorization": f"Bearer {token}"}
            self._client = httpx.Client(base_url=f"{url}/api/v2/", headers=headers, timeout=60)
        return self._client

    def last_line(self, dag: str, run: str, task: str, attempt: int = 1) -> str:
        """Return the last line of a task's log, as the page shows it."""
        log = self.api(f"dags/{dag}/dagRuns/{run}/taskInstances/{task}/logs/{attempt}")
        lines = [x for x in log["content"] if not x["event"].startswith(AIRFLOWS_OWN)]
        if errors := lines[-1].get("error_detail"):
            return str(errors[-1]["exc_value"])
        return str(lines[-1]["event"])

    def runs(self, dag: str) -> dict[str, str]:
        """Return the states of a DAG's runs, as Airflow says."""
        return {x["dag_run_id"]: x["state"] for x in self.api(f"dags/{dag}/dagRuns")["dag_runs"]}

    def tasks(self, dag: str, run: str) -> dict[str, Row]:
        """Return the tasks of a run, as Airflow says."""
        found = self.api(f"dags/{dag}/dagRuns/{run}/taskInstances")["task_instances"]
        return {x["task_id"]: x for x in found}

    def steps(self, dag: str, run: str) -> dict[str, str]:
        """Return the steps of a run, as the plan says."""
        rows = self.rows(
            "select step, status from headgate.v_execution_steps"
            " where pipeline = %(dag)s and run_id = %(run)s",
            dag=dag,
            run=run,
        )
        return {x["step"]: x["status"] for x in rows}

    def execution(self, dag: str, run: str) -> Row:
        """Return a run, as the plan says."""
        (row,) = self.rows(
            "select * from headgate.v_recent_executions"
            " where pipeline = %(dag)s and run_id = %(run)s",
            dag=dag,
            run=run,
        )
        return row

    def pid(self, service: str) -> int:
        """Return a process of the stack."""
        state = json.loads((self.folder / "stack.json").read_text())
        pid: int = state["services"][service]
        return pid

    def kill(self, service: str) -> None:
        """Kill a process of the stack, and wait until another one is there."""
        pid = self.pid(service)
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: self.pid(service) != pid, f"another {service}")

    def busy_workers(self) -> list[str]:
        """Return what Airflow's worker processes are at."""
        children = psutil.Process(self.pid("scheduler")).children(recursive=True)
        return [x for x in map(_title, children) if x and "<idle>" not in x]

    def said(self) -> str:
        """Return what the command has said so far."""
        return (self.settings.home / "said.log").read_text()


@contextmanager
def running(folder: Path) -> Iterator[Running]:
    """Start everything once; stop it at the end, and prove that nothing is left."""
    for dags in (DB.parent / "dags", Path(__file__).parent / "dags"):
        ignore = shutil.ignore_patterns("__*")
        shutil.copytree(dags, folder / "dags", ignore=ignore, dirs_exist_ok=True)
    with scratch_folder() as home, spawn(Options(quota=None, rate=None)) as standin:
        server = Server(home)
        postgres = server.start(port=free_port(), parameters=PARAMETERS)
        settings = Settings(dsn=None, database="headgate", home=home, db=DB)
        environ = os.environ | BRISK | bad_connections(postgres)
        environ |= {
            "HEADGATE_HOME": str(home),
            "HEADGATE_DATABASE": settings.database,
            "EODHD_API_TOKEN": standin.token,
            "AIRFLOW__CORE__DAGS_FOLDER": str(folder / "dags"),
        }
        port = free_port()
        try:
            with _started(settings, standin, port, environ) as stack:
                yield stack
        finally:
            server.stop()


@contextmanager
def _started(
    settings: Settings, standin: Process, port: int, environ: dict[str, str]
) -> Iterator[Running]:
    with (settings.home / "said.log").open("w") as log:
        process = subprocess.Popen(
            [*HEADGATE, "start", f"--port={port}"],
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            text=True,
        )
    stack = Running(settings, standin, process, port, environ)
    try:
        arrange(settings, standin)  # while Airflow starts
        wait_until(
            lambda: process.poll() is not None or "password:" in stack.said(),
            "a healthy Airflow",
            START_SECONDS,
        )
        assert process.poll() is None, stack.said()
        yield stack
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(120)
        if stack._plan is not None:
            stack._plan.connection.close()
        if stack._client is not None:
            stack._client.close()


# What was left behind is found, and what is next begun, sooner than on a machine that has other work.
BRISK = {
    "AIRFLOW__SCHEDULER__JOB_HEARTBEAT_SEC": "2",
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "3",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "8",
    "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.2",
    "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "2",
    "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "8",
}


def bad_connections(postgres: Postgres) -> dict[str, str]:
    """Return connections of Airflow's that do not work."""
    parts: Row = {"conn_type": "postgres", "schema": "headgate", "login": "headgate_planner"}
    port = postgres.port
    given: dict[str, Row] = {
        "WRONG_PASSWORD": {"host": "127.0.0.1", "port": port, "password": "wrong"},
        "READER": {"host": postgres.socket_dir, "port": port, "login": "headgate_reader"},
        "NOWHERE": {"host": "/nowhere"},
    }
    return {f"AIRFLOW_CONN_{name}": json.dumps(parts | x) for name, x in given.items()}


PIPELINES: LiteralString = """
with p as (
    insert into headgate.pipelines (name) values ('resting'), ('busy'), ('typed')
    returning pipeline_id, name
)
insert into headgate.pipeline_parameters (pipeline_id, name, type, default_value, effect)
select p.pipeline_id, 'mode', 'text', '"auto"', 'request' from p where p.name = 'typed'
"""


def arrange(settings: Settings, standin: Process) -> None:
    """Point the plan at the stand-in, and add a pipeline that is paused and one that runs."""
    migrate(settings)
    with connect(settings, "test") as connection:
        plan = Plan(connection)
        changes = {"base_url": standin.api, "quota": 1_105, "buffer": 0}
        changes["requests_per_minute"] = None
        plan.call("set_provider", p_provider="eodhd", p_changes=changes)
        connection.execute("update headgate.operations set lease = '8 seconds' where units > 0")
        connection.execute(PIPELINES)
        plan.call("pause_pipeline", p_pipeline="resting")
        plan.call("start_execution", p_pipeline="busy", p_run_id="before")


def _title(process: psutil.Process) -> str:
    try:
        title = " ".join(process.cmdline())
    except psutil.Error:
        return ""
    return title if "LocalExecutor" in title or "supervis" in title else ""

"""All of Airflow, as run by `headgate airflow start` on its own server and stand-in."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx2
import psutil
import psycopg

from headgate.airflow.settings import DATABASE
from headgate.database import connect
from headgate.errors import ServerUnreachable
from headgate.settings import Settings
from tests.limits import PATIENCE, wait_until
from tests.plan import Plan, Row

HEADGATE = (sys.executable, "-m", "headgate", "airflow")
INSTANCE = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
AIRFLOWS_OWN = ("::", "Trigger fired event", "trigger completed")


@dataclass(kw_only=True)
class Airflow:
    """The processes of `headgate airflow start`, read through Airflow's API and through the plan."""

    settings: Settings
    process: subprocess.Popen[str]
    port: int
    environ: dict[str, str]
    _plan: Plan | None = None
    _own: Plan | None = None
    _client: httpx2.Client | None = None

    @property
    def folder(self) -> Path:
        """Return Airflow's folder."""
        return self.settings.home / "airflow"

    @property
    def plan(self) -> Plan:
        """Return a connection to the database; reconnect if the server was away."""
        self._plan = _living(self._plan, self.settings)
        return self._plan

    def rows(self, query: Any, **arguments: Any) -> list[Row]:
        """Query the database; wait if the server is restarting."""
        return _patiently(lambda: self.plan.sql(query, **arguments))

    def own_rows(self, query: Any, **arguments: Any) -> list[Row]:
        """Query Airflow's own database; wait if the server is restarting."""

        def ask() -> list[Row]:
            self._own = _living(self._own, self.settings.with_database(DATABASE))
            return self._own.sql(query, **arguments)

        return _patiently(ask)

    def api(self, path: str, given: Any = None) -> Any:
        """Call Airflow's API: GET, or POST with the given body; return the answer."""
        client = self.client
        answer = client.get(path) if given is None else client.post(path, json=given)
        assert answer.is_success, answer.text
        return answer.json()

    @property
    def client(self) -> httpx2.Client:
        """Return a logged-in client of Airflow's API."""
        if self._client is None:
            login = json.loads((self.folder / "login.json").read_text())
            given = {"username": "admin", "password": login["admin"]}
            url = f"http://127.0.0.1:{self.port}"
            token = httpx2.post(f"{url}/auth/token", json=given, timeout=PATIENCE).json()[
                "access_token"
            ]
            headers = {"Authorization": f"Bearer {token}"}
            self._client = httpx2.Client(
                base_url=f"{url}/api/v2/", headers=headers, timeout=PATIENCE
            )
        return self._client

    def trigger(self, dag: str, conf: Row | None = None) -> str:
        """Start a run of a DAG; return its run id."""
        given = {"logical_date": None, "conf": conf or {}}
        run: str = self.api(f"dags/{dag}/dagRuns", given)["dag_run_id"]
        return run

    def change(self, path: str, given: Row) -> None:
        """Send a PATCH to Airflow's API; repeat it after a server error."""
        answers: list[httpx2.Response] = []

        def is_answered() -> bool:
            answers.append(self.client.patch(path, json=given))
            return not answers[-1].is_server_error

        wait_until(is_answered, f"an answer to {given}")
        assert answers[-1].is_success, answers[-1].text

    @contextmanager
    def without_slots(self, pool: str) -> Iterator[None]:
        """Take a pool's slots away in the block: its tasks are scheduled, and none of them begins."""
        path = f"pools/{pool}"
        found = self.api(path)
        given = {"pool": pool, "include_deferred": found["include_deferred"]}
        self.change(path, given | {"slots": 0})
        try:
            yield
        finally:
            self.change(path, given | {"slots": found["slots"]})

    def let_go(self, *dags: str) -> None:
        """Unpause DAGs that were paused when Airflow found them, and with them their pipelines."""
        for dag in dags:
            self._wait_for_dag(dag)
            self.change(f"dags/{dag}", {"is_paused": False})
        paused = "select from headgate.v_pipelines where pipeline = any (%(dags)s) and is_paused"
        wait_until(lambda: not self.rows(paused, dags=list(dags)), "their pipelines")

    def _wait_for_dag(self, dag: str) -> None:
        wait_until(lambda: self.client.get(f"dags/{dag}").is_success, dag)

    def log(self, dag: str, run: str, task: str, attempt: int = 1) -> str:
        """Return a task's log."""
        found = self.api(f"dags/{dag}/dagRuns/{run}/taskInstances/{task}/logs/{attempt}")
        return "\n".join(str(x["event"]) for x in found["content"])

    def last_line(
        self, dag: str, run: str, task: str, attempt: int = 1, map_index: int = -1
    ) -> str:
        """Return the last line of a task's log, as shown on its page."""
        return self.lines(dag, run, task, attempt, map_index)[-1]

    def lines(
        self, dag: str, run: str, task: str, attempt: int = 1, map_index: int = -1
    ) -> list[str]:
        """Return the lines of a task's log, with the error instead of a line that has one.

        A try without a log in Airflow gives [].
        """
        path = f"dags/{dag}/dagRuns/{run}/taskInstances/{task}/logs/{attempt}?map_index={map_index}"
        answer = self.client.get(path)
        if answer.status_code == 404:
            return []
        assert answer.is_success, answer.text
        log = answer.json()
        said = [x for x in log["content"] if not x["event"].startswith(AIRFLOWS_OWN)]
        errors = [(x.get("error_detail") or [{}])[-1].get("exc_value") for x in said]
        return [str(error or x["event"]) for x, error in zip(said, errors, strict=True)]

    def runs(self, dag: str) -> dict[str, str]:
        """Return the states of a DAG's runs in Airflow."""
        return {x["dag_run_id"]: x["state"] for x in self.api(f"dags/{dag}/dagRuns")["dag_runs"]}

    def states(self, dag: str) -> dict[str, str]:
        """Return what `runs` does, from Airflow's database: for waits, as each call of the API costs 30 ms."""
        query = "select run_id, state from dag_run where dag_id = %(dag)s order by id"
        return {x["run_id"]: x["state"] for x in self.own_rows(query, dag=dag)}

    def task_states(self, dag: str, run: str) -> dict[str, str | None]:
        """Return the states of the tasks of a run, from Airflow's database: for waits."""
        query = (
            "select task_id, state from task_instance"
            " where dag_id = %(dag)s and run_id = %(run)s order by task_id, map_index"
        )
        return {x["task_id"]: x["state"] for x in self.own_rows(query, dag=dag, run=run)}

    def tries(self, dag: str, run: str, task: str) -> int:
        """Return the number of a task's try, from Airflow's database: for waits."""
        (row,) = self.own_rows(
            "select try_number from task_instance"
            " where dag_id = %(dag)s and run_id = %(run)s and task_id = %(task)s",
            dag=dag,
            run=run,
            task=task,
        )
        return int(row["try_number"])

    def seconds(self, dag: str, run: str) -> float:
        """Return a run's duration in Airflow, in seconds."""
        found = self.api(f"dags/{dag}/dagRuns/{run}")
        started, ended = (datetime.fromisoformat(found[x]) for x in ("start_date", "end_date"))
        return (ended - started).total_seconds()

    def tasks(self, dag: str, run: str) -> dict[str, Row]:
        """Return the tasks of a run in Airflow."""
        found = self.api(f"dags/{dag}/dagRuns/{run}/taskInstances")["task_instances"]
        return {x["task_id"]: x for x in found}

    def steps(self, dag: str, run: str) -> dict[str, str]:
        """Return the statuses of a run's steps in the plan."""
        rows = self.rows(
            "select step, status from headgate.v_execution_steps"
            " where pipeline = %(dag)s and run_id = %(run)s",
            dag=dag,
            run=run,
        )
        return {x["step"]: x["status"] for x in rows}

    def execution(self, dag: str, run: str) -> Row:
        """Return a run's row in the plan."""
        (row,) = self.rows(
            "select * from headgate.v_recent_executions"
            " where pipeline = %(dag)s and run_id = %(run)s",
            dag=dag,
            run=run,
        )
        return row

    def pid(self, service: str) -> int:
        """Return the process number of a service of the stack."""
        state = json.loads((self.folder / "stack.json").read_text())
        pid: int = state["services"][service]
        return pid

    def processes(self) -> list[psutil.Process]:
        """Return all processes that the command has started, with their descendants."""
        file = self.folder / "stack.json"
        state = json.loads(file.read_text()) if file.exists() else {"services": {}}
        found = []
        for pid in state["services"].values():
            with suppress(psutil.NoSuchProcess):
                leader = psutil.Process(pid)
                found += [leader, *leader.children(recursive=True)]
        return found

    def kill(self, service: str) -> None:
        """Kill a service's process, and wait until it is restarted."""
        pid = self.pid(service)
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: self.pid(service) != pid, f"another {service}")

    def tasks_at_work(self) -> set[str]:
        """Return the task instances that Airflow's worker processes run, from their titles."""
        found: set[str] = set()
        for process in psutil.Process(self.pid("scheduler")).children(recursive=True):
            with suppress(psutil.Error):
                found |= set(INSTANCE.findall(" ".join(process.cmdline())))
        return found

    def said(self) -> str:
        """Return the command's output so far."""
        return said_file(self.settings).read_text()

    def wait_until_healthy(self) -> None:
        """Wait until the command reports that Airflow is healthy."""
        wait_until(
            lambda: self.process.poll() is not None or "password:" in self.said(),
            "a healthy Airflow",
        )
        assert self.process.poll() is None, self.said()

    def close(self) -> None:
        """Close the connection and the client."""
        for plan in (self._plan, self._own):
            if plan is not None:
                plan.connection.close()
        if self._client is not None:
            self._client.close()


def _living(plan: Plan | None, settings: Settings) -> Plan:
    """Return the connection, or another one if the server was away."""
    if plan is None or plan.connection.closed or plan.connection.broken:
        return Plan(connect(settings, "test"))
    return plan


def _patiently(ask: Callable[[], list[Row]]) -> list[Row]:
    """Query; wait if the server is restarting."""
    while True:
        try:
            return ask()
        except (psycopg.OperationalError, ServerUnreachable):
            time.sleep(0.2)


def start(
    settings: Settings, environ: dict[str, str], port: int, *options: str
) -> subprocess.Popen[str]:
    """Start the command, with its output in a file."""
    with said_file(settings).open("w") as log:
        return subprocess.Popen(
            [*HEADGATE, "start", f"--port={port}", *options],
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            text=True,
        )


def said_file(settings: Settings) -> Path:
    """Return the path of the command's output."""
    return settings.home / "said.log"


@contextmanager
def stopped_at_the_end(airflow: Airflow) -> Iterator[Airflow]:
    """Kill Airflow's processes at the end of the block: an orderly stop takes long and has its own tests."""
    try:
        yield airflow
    finally:
        airflow.process.kill()  # it would keep the others alive
        airflow.process.wait()
        for process in airflow.processes():
            with suppress(psutil.Error):
                process.kill()
        airflow.close()


def environ_of(settings: Settings, dags: Path, **more: str) -> dict[str, str]:
    """Return the command's environment, with this home, database and DAGs, without the user's Airflow settings."""
    names = {
        "HEADGATE_HOME": str(settings.home),
        "HEADGATE_DATABASE": settings.database,
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
    }
    ours = {x: y for x, y in os.environ.items() if not x.startswith("AIRFLOW")}
    return ours | names | more

"""Helpers of the stack's tests that read and wait for states, in Airflow and in the plan."""

from __future__ import annotations

import subprocess
import time
from email.message import Message
from typing import Any

import psutil

from headgate.demo.services.slack import texts
from tests.acceptance.system import PIPELINE
from tests.airflow.scene import Scene
from tests.airflow.stack import HEADGATE
from tests.limits import PATIENCE, wait_until
from tests.plan import Row

STEP = "process_us_markets"
SAME = {
    "success": "succeeded",
    "skipped": "skipped",
    "upstream_failed": "skipped",
    "failed": "failed",
}


def unknown(codes: list[str]) -> dict[str, Any]:
    """Return the fault of a provider that does not know these listings."""
    return {"match": any_of(codes), "fault": {"kind": "status", "status": 404}}


def held(codes: list[str]) -> dict[str, Any]:
    """Return the fault of a provider that does not answer for these listings."""
    return {"match": any_of(codes), "fault": "hold"}


def any_of(codes: list[str]) -> dict[str, str]:
    """Return the fault rule's condition for calls for these listings."""
    return {"code": "|".join(x.replace(".", "\\.") for x in codes)}


def run_of(stack: Scene, order: int) -> str | None:
    """Return the run that took an order, if any."""
    rows = stack.rows(
        "select e.run_id from headgate.orders as o join headgate.process_executions as e"
        " using (execution_id) where o.order_id = %(order)s",
        order=order,
    )
    return rows[0]["run_id"] if rows else None


def wait_for_step(stack: Scene, order: int) -> str:
    """Wait until the large step of the order's run is running; return the run id."""

    def is_running() -> bool:
        run = run_of(stack, order)
        return run is not None and stack.steps(PIPELINE, run).get(STEP) == "running"

    wait_until(is_running, "the step")
    run = run_of(stack, order)
    assert run is not None
    return run


def wait_for_run(stack: Scene, dag: str, run: str) -> None:
    """Wait until a run has ended in Airflow."""
    wait_until(lambda: stack.states(dag).get(run) in ("success", "failed"), f"{dag} {run}")


def assert_both_windows_agree(stack: Scene, dag: str, run: str) -> dict[str, Any]:
    """Compare Airflow's states with the plan's; return the plan's row of the run."""
    execution = stack.execution(dag, run)
    assert SAME[stack.runs(dag)[run]] == execution["status"]
    tasks = {name: SAME[x["state"]] for name, x in stack.tasks(dag, run).items()}
    if (
        execution["status"] == "failed"
    ):  # finalize_execution succeeds in the plan but fails its task
        assert tasks["finalize_execution"] == "failed"
        tasks["finalize_execution"] = "succeeded"
    assert tasks == stack.steps(dag, run)
    return execution


def wait_for_task(stack: Scene, run: str, task: str, state: str) -> None:
    """Wait until a task of a run is in this state in Airflow."""
    wait_until(lambda: stack.task_states(PIPELINE, run)[task] == state, f"{task}: {state}")


def wait_for_end(stack: Scene, run: str, dag: str = PIPELINE) -> str:
    """Wait until a run's execution has ended; return its status."""
    ended = ("succeeded", "failed", "cancelled")
    wait_until(lambda: stack.execution(dag, run)["status"] in ended, f"the end of {run}")
    return str(stack.execution(dag, run)["status"])


def is_paused(stack: Scene) -> bool:
    """Return whether the pipeline is paused in the plan."""
    (row,) = stack.rows(
        "select is_paused from headgate.v_pipelines where pipeline = %(name)s", name=PIPELINE
    )
    return bool(row["is_paused"])


def xcom_of(stack: Scene, run: str, task: str, key: str) -> Any:
    """Return an XCom of a task of the large DAG."""
    return stack.api(f"dags/{PIPELINE}/dagRuns/{run}/taskInstances/{task}/xcomEntries/{key}")[
        "value"
    ]


def first_run(stack: Scene, dag: str, kind: str) -> str | None:
    """Return a run whose id begins with this kind, if any."""
    return next((x for x in stack.states(dag) if x.startswith(kind)), None)


def scheduled(stack: Scene, dag: str) -> str:
    """Return the first run that the scheduler has started by itself."""
    wait_until(lambda: first_run(stack, dag, "scheduled"), f"a run of {dag}")
    run = first_run(stack, dag, "scheduled")
    assert run is not None
    return run


def wait_for_retry(stack: Scene, dag: str, run: str, task: str) -> None:
    """Wait until a task has failed and waits for its retry, or has already begun it."""

    def has_failed() -> bool:
        is_waiting = stack.task_states(dag, run)[task] == "up_for_retry"
        return is_waiting or stack.tries(dag, run, task) > 1

    wait_until(has_failed, f"a failure of {task}")


def _notices(stack: Scene, run: str) -> dict[str, str]:
    """Return the status of a run's notices by channel."""
    rows = stack.rows(
        "select channel, status from headgate.v_notices where body like %(run)s", run=f"%{run}%"
    )
    assert len({x["channel"] for x in rows}) == len(rows), rows
    return {x["channel"]: x["status"] for x in rows}


def _text_of(mail: Message) -> str:
    """Return a mail's subject and text."""
    text = mail.get_payload(decode=True)
    assert isinstance(text, bytes)
    return f"{mail['subject']}\n{text.decode()}"


def output(stack: Scene, dag: str, run: str, step: str) -> Row:
    """Return the output of a step."""
    (row,) = stack.rows(
        "select document #> array['steps', %(step)s, 'output'] as output"
        " from headgate.v_run_documents where pipeline = %(dag)s and run_id = %(run)s",
        step=step,
        dag=dag,
        run=run,
    )
    found: Row = row["output"]
    return found


def wait_past_retries(stack: Scene, dag: str, run: str) -> None:
    """Wait until a run has ended in Airflow, and let the pauses before its tasks' retries pass."""

    def has_ended() -> bool:
        _let_pauses_pass(stack, dag, run)
        return stack.states(dag).get(run) in ("success", "failed")

    wait_until(has_ended, f"{dag} {run}")


def _let_pauses_pass(stack: Scene, dag: str, run: str) -> None:
    """Let Airflow believe that the tries of tasks that wait for a retry ended an hour ago."""
    stack.own_rows(
        "update task_instance set end_date = end_date - interval '1 hour'"
        " where dag_id = %(dag)s and run_id = %(run)s and state = 'up_for_retry'"
        " and end_date > now() - interval '1 hour' returning task_id",
        dag=dag,
        run=run,
    )


def assert_told(stack: Scene, plan: str, run: str, *words: str) -> None:
    """Wait for one notice of a run in each of a plan's two channels, and look for words in it."""
    sent = {f"{plan}_slack": "sent", f"{plan}_mail": "sent"}
    wait_until(lambda: _notices(stack, run) == sent, "news of it")
    (message,) = [x for x in texts(stack.services["slack"]) if run in x]
    (mail,) = [x for x in stack.mailbox.mails if run in _text_of(x)]
    for said in (message, _text_of(mail)):
        assert {x for x in words if x not in said} == set(), said


def leased_units(stack: Scene) -> int:
    """Return the units of leased chunks, whose answers may never arrive."""
    (row,) = stack.rows(
        "select coalesce(sum(c.units), 0)::int as units from headgate.chunks as c"
        " where c.state = 'leased'"
    )
    units: int = row["units"]
    return units


def leases_of(stack: Scene, pid: int) -> list[Row]:
    """Return the chunks leased by the runner of a process; its name contains the process number."""
    return stack.rows(
        "select c.chunk_id from headgate.chunks as c"
        " where c.state = 'leased' and c.runner like %(name)s",
        name=f"%-{pid}-%",
    )


def postgres_pid(stack: Scene) -> int:
    """Return the process number of the PostgreSQL server."""
    lines = (stack.settings.home / "postgres" / "postmaster.pid").read_text().splitlines()
    return int(lines[0])


def left_of(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Return the processes that still run."""
    return [x for x in processes if x.is_running() and x.status() != psutil.STATUS_ZOMBIE]


def ask_to_stop(stack: Scene) -> str:
    """Stop the stack with the command; return its output."""
    began = time.monotonic()
    done = subprocess.run(
        [*HEADGATE, "stop"], env=stack.environ, capture_output=True, text=True, timeout=PATIENCE
    )
    print(f"stopped in {time.monotonic() - began:.1f} s")
    assert done.returncode == 0, done.stderr
    return done.stderr

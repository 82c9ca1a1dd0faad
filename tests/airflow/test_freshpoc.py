"""FreshPoC_E2E under Airflow's own scheduler: stand-ins play its services, clicks are its recoveries."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from headgate.database import connect
from headgate.demo.services import StandIn, freshpoc, running
from headgate.demo.services.stage import locate
from tests.acceptance.freshpoc.conftest import CALLED, PIPELINE
from tests.airflow.looks import assert_both_windows_agree, wait_for_retry, wait_for_run
from tests.airflow.scene import Scene
from tests.airflow_home import NEEDS_AIRFLOW
from tests.limits import wait_until

pytestmark = NEEDS_AIRFLOW


@dataclass
class Window:
    """Airflow's API for the DAG, and the services that it calls."""

    stack: Scene
    services: dict[str, StandIn]

    def wait(self, run: str) -> None:
        """Wait until a run has ended."""
        wait_for_run(self.stack, PIPELINE, run)

    def wait_for_task(self, run: str, task: str, state: str) -> None:
        """Wait until Airflow reports this state of a task."""
        wait_until(lambda: self.stack.task_states(PIPELINE, run)[task] == state, f"{task}: {state}")

    def clear(self, run: str, task: str) -> None:
        """Clear a task and its downstream tasks."""
        given = {"dry_run": False, "dag_run_id": run, "task_ids": [task], "only_failed": False}
        given["include_downstream"] = True
        self.stack.api(f"dags/{PIPELINE}/clearTaskInstances", given)

    def mark(self, run: str, task: str, state: str) -> None:
        """Set the state of a task."""
        path = f"dags/{PIPELINE}/dagRuns/{run}/taskInstances/{task}"
        self.stack.change(path, {"new_state": state})

    def served(self) -> list[int]:
        """Return the number of calls that each service in the chain has served."""
        return [self.services[x].served for x in CALLED]


@pytest.fixture(scope="module", autouse=True)
def let_go(stack: Scene) -> None:
    """Unpause the DAG."""
    stack.let_go(PIPELINE)


@pytest.fixture
def window(stack: Scene) -> Iterator[Window]:
    """Point the plan's addresses at stand-ins."""
    with running(freshpoc.services()) as services:
        with connect(stack.settings, "test") as connection:
            locate(connection, "freshpoc", {x: y.url for x, y in services.items()})
        yield Window(stack, services)


def test_a_run_calls_each_service_once_and_both_windows_agree(window: Window):
    run = window.stack.trigger(PIPELINE, {"repo": "https://git.test/shop"})
    window.wait(run)

    execution = assert_both_windows_agree(window.stack, PIPELINE, run)
    assert (execution["status"], execution["succeeded"]) == ("succeeded", 5)
    assert window.served() == [1] * 5
    assert window.services["ingestion"].calls[0].ask.query == {"repo": "https://git.test/shop"}


def test_clearing_a_failed_step_runs_it_and_the_steps_after_it(window: Window):
    window.services["analyzer"].fail("status", times=1, status=500)
    run = window.stack.trigger(PIPELINE)
    wait_for_retry(window.stack, PIPELINE, run, "analyzer_run")
    window.clear(run, "analyzer_run")
    window.wait(run)

    assert assert_both_windows_agree(window.stack, PIPELINE, run)["status"] == "succeeded"
    assert (window.served(), len(window.services["analyzer"].calls)) == ([1] * 5, 2)


def test_clearing_a_run_that_has_succeeded_doubles_nothing(window: Window):
    run = window.stack.trigger(PIPELINE)
    window.wait(run)
    window.clear(run, "ingestion_trigger")
    wait_until(
        lambda: window.stack.tries(PIPELINE, run, "finalize_execution") > 1,
        "the end of it, again",
    )
    window.wait(run)

    assert assert_both_windows_agree(window.stack, PIPELINE, run)["status"] == "succeeded"
    assert window.served() == [1] * 5


@pytest.mark.parametrize(("state", "reported"), [("success", 1), ("skipped", 0)])
def test_a_step_that_a_person_marks_ends_so_and_what_depends_on_it_continues_or_is_skipped(
    window: Window, state: str, reported: int
):
    writer = window.services["writer"]
    writer.hold()
    run = window.stack.trigger(PIPELINE)
    wait_until(lambda: writer.arrived, "the writer's call")
    window.mark(run, "writer_apply", state)
    status = {"success": "succeeded", "skipped": "skipped"}[state]
    wait_until(
        lambda: window.stack.steps(PIPELINE, run)["writer_apply"] == status, f"a step {status}"
    )
    writer.release()
    window.wait(run)

    assert assert_both_windows_agree(window.stack, PIPELINE, run)["status"] == "succeeded"
    assert window.served() == [1, 1, 1, 1, reported]


def test_a_writer_that_may_have_been_called_is_not_called_by_airflows_retries_either(
    window: Window,
):
    writer = window.services["writer"]
    writer.fail("cut_after", times=1)
    run = window.stack.trigger(PIPELINE)
    wait_for_retry(window.stack, PIPELINE, run, "writer_apply")
    window.clear(run, "writer_apply")
    wait_until(lambda: window.stack.tries(PIPELINE, run, "writer_apply") > 1, "another try")
    window.wait_for_task(run, "writer_apply", "up_for_retry")
    assert writer.arrived == 1

    window.mark(run, "writer_apply", "success")
    window.wait(run)
    assert window.served() == [1] * 5
    assert window.stack.steps(PIPELINE, run)["writer_apply"] == "succeeded"

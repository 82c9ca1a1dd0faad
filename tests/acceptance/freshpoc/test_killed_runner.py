"""A runner is killed while a service works on its call; then an operator decides how to continue.

No service is called twice except the one whose call may have been made, where repeating is harmless; none is left
out.
"""

from __future__ import annotations

import signal

import pytest

from tests.acceptance.freshpoc.conftest import CALLED, PIPELINE, STEPS, Poc
from tests.attacks.form import either
from tests.limits import wait_until

WRITER = CALLED.index("writer")
EACH = pytest.mark.parametrize("at", range(5), ids=STEPS)
SOME = pytest.mark.parametrize("at", either((0, WRITER), range(5)), ids=lambda at: STEPS[at])
"""Operators' actions are tried at the step that needs a person's decision and at an ordinary one; the long form tries
them at every step."""


@pytest.fixture
def killed(poc: Poc, at: int) -> Poc:
    """A run whose runner is gone; the service has not noticed that, and does its work."""
    poc.tune(lease="2 seconds", timeout="1 minute")
    service = poc.services[CALLED[at]]
    service.hold()
    poc.start()
    runner = poc.spawn("worker")
    poc.wait(lambda: service.arrived, f"a call of {service.name}")
    runner.send_signal(signal.SIGKILL)
    runner.wait()
    service.release()
    wait_until(lambda: service.served, f"{service.name} at work for nobody")
    return poc


def once_each(**other: int) -> list[int]:
    """Return the expected number of calls of each service: one, or as given by the argument of its name."""
    return [other.get(x, 1) for x in CALLED]


def assert_carried_on(poc: Poc, at: int) -> None:
    """Check that another runner does the rest: the writer's step needs a person who knows its result."""
    poc.spawn("worker")
    run = poc.end()
    if at != WRITER:
        assert poc.served() == once_each(**{CALLED[at]: 2})
        assert run["status"] == "succeeded"
        return
    assert poc.served() == once_each(reporting=0)
    assert run["status"] == "failed"
    assert poc.errors() == ["internal: unknown whether it was sent: its lease expired"]
    poc.recover("mark_step", p_step="writer_apply", p_status="succeeded")
    poc.end()
    assert poc.served() == once_each()
    assert poc.last_run()["status"] == "succeeded"


@EACH
def test_p3_another_runner_continues(killed: Poc, at: int):
    assert_carried_on(killed, at)


@SOME
def test_p3_what_failed_is_run_again(killed: Poc, at: int):
    killed.recover("retry_failed")

    assert_carried_on(killed, at)


@SOME
def test_p3_the_same_run_is_started_again(killed: Poc, at: int):
    run_id = killed.last_run()["run_id"]
    killed.plan.call("run_pipeline", p_pipeline=PIPELINE, p_run_id=run_id)

    assert_carried_on(killed, at)


@SOME
def test_p3_the_step_is_skipped(killed: Poc, at: int):
    killed.recover("skip_step", p_step=STEPS[at], p_behind=True)
    killed.spawn("worker")

    assert killed.end()["status"] == "succeeded"
    assert killed.served() == [1] * (at + 1) + [0] * (4 - at)


@SOME
def test_p3_the_step_is_marked_as_succeeded(killed: Poc, at: int):
    killed.recover("mark_step", p_step=STEPS[at], p_status="succeeded")
    killed.spawn("worker")

    assert killed.end()["status"] == "succeeded"
    assert killed.served() == once_each()

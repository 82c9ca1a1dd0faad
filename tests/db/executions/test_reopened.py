"""A scheduler's run that had ended and continues, through a cleared task or a retry, ends by itself."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.attacks.form import either
from tests.db.conftest import Toys
from tests.db.executions import graph as g
from tests.db.together import at_once, meanwhile, waits
from tests.db.toy import Toy

WITHOUT_ANYTHING_TO_DO = """
select e.run_id, e.status
from headgate.process_executions as e
where e.reopened_at is not null
    and not exists (
        select
        from headgate.process_steps as s
        where s.execution_id = e.execution_id
            and s.status = 'running'
    )
    and not exists (select from headgate.chunks as c where c.execution_id = e.execution_id)
"""


def chain(toy: Toy, **more: Any) -> None:
    """Declare three fan-outs in a row between two functions, run as Airflow does."""
    g.graph(
        toy,
        ready={"function": "well"},
        fetch={"operations": ["look"], "group_keys": ["A"], "depends_on": ["ready"]},
        judge={"operations": ["look"], "group_keys": ["B"], "depends_on": ["fetch"], **more},
        write={"operations": ["look"], "group_keys": ["C"], "depends_on": ["judge"], **more},
        report={"function": "well", "depends_on": ["write"], "trigger_rule": "all_done"},
        finish={"function": "headgate.finalize_execution", "depends_on": ["report"]},
    )
    for group in "ABC":
        toy.add(2, group)
    g.start(toy, driver="airflow")
    report(toy, "ready")


def report(toy: Toy, step: str, status: str = "succeeded") -> None:
    """Report a function step, as its task does."""
    names = {"p_pipeline": "graph", "p_run_id": "r1", "p_step": step}
    toy.call("report_step", **names, p_status=status)


def send(toy: Toy, step: str, attempt: int = 1) -> str:
    """Send a step as its task does; return its status."""
    return str(toy.enqueue(step, pipeline="graph", p_attempt=attempt)["status"])


def reopened(toy: Toy) -> bool:
    """Return whether the run counts as reopened."""
    return bool(
        toy.scalar("select count(*) from headgate.process_executions where reopened_at is not null")
    )


def failed(toy: Toy, **more: Any) -> None:
    """Let the first fan-out fail, and with it the run."""
    chain(toy, **more)
    send(toy, "fetch")
    g.work(toy, "fetch")
    assert toy.finish(pipeline="graph")["status"] == "failed"


def test_a_cleared_step_that_goes_well_ends_the_run_in_the_same_commit(toy: Toy):
    failed(toy)

    assert send(toy, "fetch", 2) == "running"
    assert (g.status(toy), reopened(toy)) == ("running", True)
    toy.complete(toy.claim()[0])

    assert (g.status(toy), reopened(toy)) == ("succeeded", False)
    assert g.steps(toy)["judge"] == "skipped"
    toy.start("r2", "graph")  # the pipeline is free again


def test_a_cleared_step_that_fails_again_ends_it_as_failed(toy: Toy):
    failed(toy)
    send(toy, "fetch", 2)
    toy.complete(toy.claim()[0], "failed")

    assert g.status(toy) == "failed"


def test_a_retry_in_psql_ends_by_itself(toy: Toy):
    failed(toy)

    assert g.retry(toy)["planned"] == 2
    g.work(toy)

    assert g.status(toy) == "succeeded"


def test_the_totals_are_those_of_the_second_end(toy: Toy):
    failed(toy)
    g.retry(toy)
    g.work(toy)

    row = toy.execution(pipeline="graph")
    assert (row["planned"], row["succeeded"], row["failed"]) == (2, 2, 0)


def test_tasks_behind_that_airflow_runs_then_open_it_again(toy: Toy):
    """A task is cleared with its downstream tasks: each of them runs in turn, at its first try."""
    failed(toy)
    send(toy, "fetch", 2)
    g.work(toy)

    for step in ("judge", "write"):
        assert send(toy, step) == "running"
        assert g.status(toy) == "running"
        assert g.work(toy) == [step]
        assert g.status(toy) == "succeeded"
    report(toy, "report")

    assert toy.finish(pipeline="graph")["status"] == "succeeded"
    assert set(g.steps(toy).values()) == {"succeeded"}


def test_a_task_behind_that_fails_fails_the_run(toy: Toy):
    failed(toy)
    send(toy, "fetch", 2)
    g.work(toy)
    send(toy, "judge")
    g.work(toy, "judge")
    report(toy, "report", "failed")

    assert g.status(toy) == "failed"
    assert toy.finish(pipeline="graph")["status"] == "failed"
    report(toy, "report")
    send(toy, "judge", 2)
    g.work(toy)
    assert g.status(toy) == "succeeded"


def test_a_step_that_was_never_opened_again_is_not_run_by_its_first_attempt(toy: Toy):
    """A person who finalizes a run ends it: a task that comes later finds it ended."""
    chain(toy)
    send(toy, "fetch")
    g.work(toy)
    toy.finish(pipeline="graph")

    with toy.unchanged():
        assert send(toy, "judge") == "skipped"


def test_a_function_that_airflow_calls_again_ends_it_again(toy: Toy):
    chain(toy)
    report(toy, "ready", "failed")
    toy.finish(pipeline="graph")
    assert g.status(toy) == "failed"

    report(toy, "ready")

    assert (g.status(toy), reopened(toy)) == ("succeeded", False)
    assert send(toy, "fetch") == "running"
    g.work(toy)
    assert g.status(toy) == "succeeded"


def test_an_attempt_with_nothing_to_do_behind_it_ends_it_at_once(toy: Toy):
    failed(toy)
    send(toy, "fetch", 2)
    g.work(toy)
    toy.sql("update headgate.asset_processing_state set next_due_at = null")

    assert send(toy, "judge") == "succeeded"
    assert (g.status(toy), reopened(toy)) == ("succeeded", False)


def test_failures_in_a_row_run_in_their_order(toy: Toy):
    chain(toy, trigger_rule="all_done")
    for step in ("fetch", "judge", "write"):
        send(toy, step)
        g.work(toy, step)
    assert toy.finish(pipeline="graph")["failed"] == 6

    assert g.retry(toy)["planned"] == 6
    assert g.work(toy) == ["fetch", "judge", "write"]
    assert (g.status(toy), reopened(toy)) == ("succeeded", False)


def test_steps_planned_after_a_lasting_failure_end_as_before(toy: Toy):
    """The second step waits for the first to succeed: red does not become green because nobody ran it."""
    chain(toy)
    send(toy, "fetch")
    send(toy, "judge")
    g.work(toy, "fetch", "judge")
    toy.finish(pipeline="graph")
    assert g.retry(toy)["planned"] == 4

    assert g.work(toy, "fetch") == ["fetch"]

    assert (g.status(toy), reopened(toy)) == ("failed", False)
    assert (g.steps(toy)["judge"], toy.units()[0]) == ("failed", 0)
    assert g.retry(toy)["planned"] == 4


def test_a_cancelled_run_stays_so_in_what_nobody_has_run_again(toy: Toy):
    chain(toy)
    send(toy, "fetch")
    toy.call("cancel_execution", p_pipeline="graph", p_run_id="r1")
    g.retry(toy)
    assert g.work(toy) == ["fetch"]
    assert (g.status(toy), g.steps(toy)["judge"]) == ("cancelled", "cancelled")

    for step in ("judge", "write"):
        assert send(toy, step) == "running"
        g.work(toy)
    report(toy, "report")

    assert toy.finish(pipeline="graph")["status"] == "succeeded"


@pytest.mark.parametrize("how", ["skip_step", "cancel_execution"])
def test_an_operator_ends_what_he_has_opened_again(toy: Toy, how: str):
    failed(toy)
    g.retry(toy)
    named = {"p_step": "fetch"} if how == "skip_step" else {}
    toy.call(how, p_pipeline="graph", p_run_id="r1", **named)

    assert not reopened(toy)
    assert g.status(toy) == ("succeeded" if how == "skip_step" else "cancelled")
    assert toy.units()[0] == 0


def test_a_reopened_run_waits_for_a_lease_that_is_still_out(toy: Toy):
    failed(toy)
    g.retry(toy)
    (chunk,) = toy.claim()
    g.mark(toy, "fetch", "failed")
    assert g.status(toy) == "running"

    toy.complete(chunk)

    assert (g.status(toy), reopened(toy)) == ("failed", False)
    assert toy.execution(pipeline="graph")["succeeded"] == 2


def test_units_that_are_lacking_end_a_reopened_run(toy: Toy):
    failed(toy)
    g.retry(toy)
    (chunk,) = toy.claim()
    toy.complete(chunk, "deferred", fault="quota")

    assert (g.status(toy), reopened(toy)) == ("succeeded", False)


def test_a_first_run_waits_for_its_finalizing(toy: Toy):
    chain(toy)
    send(toy, "fetch")
    g.work(toy, "fetch")
    g.retry(toy)
    g.work(toy)

    assert (g.status(toy), reopened(toy)) == ("running", False)


def test_a_run_that_runners_advance_continues_as_usual(toy: Toy):
    g.graph(
        toy,
        fetch={"operations": ["look"], "group_keys": ["A"]},
        judge={"operations": ["look"], "group_keys": ["B"], "depends_on": ["fetch"]},
    )
    toy.add(2)
    toy.add(2, "B")
    g.start(toy)
    g.work(toy, "fetch")
    g.retry(toy)

    assert g.work(toy) == ["fetch", "judge"]
    assert g.status(toy) == "succeeded"


# ------------------------------------------------------------- several at once


def test_two_runners_that_end_the_last_two_steps_at_once_end_the_run(toys: Toys):
    one, two = toys.one, toys.another()
    g.graph(
        one,
        left={"operations": ["look"], "group_keys": ["A"]},
        right={"operations": ["look"], "group_keys": ["B"]},
    )
    one.add(2)
    one.add(2, "B")
    g.start(one, driver="airflow")
    for step in ("left", "right"):
        send(one, step)
    g.work(one, "left", "right")
    one.finish(pipeline="graph")
    for _ in range(5):
        assert g.retry(one)["planned"] == 4
        (a,), (b,) = one.claim("w1"), two.claim("w2")
        answers = at_once(
            partial(one.complete, a, "failed"),
            partial(two.complete, b, "failed", runner="w2"),
        )
        assert not [x for x in answers if isinstance(x, psycopg.Error)]
        assert (g.status(one), reopened(one)) == ("failed", False)
        one.sql("update headgate.asset_processing_state set consecutive_failures = 0")


def test_a_step_that_is_planned_while_the_last_one_ends_is_not_lost(toys: Toys):
    one, two = toys.one, toys.another(autocommit=False)
    failed(one)
    send(one, "fetch", 2)
    (chunk,) = one.claim()
    assert send(two, "judge") == "running"  # and has not committed

    with meanwhile(lambda: one.complete(chunk), one, toys.another()) as answers:
        assert waits(one, toys.another(), answers), "it waits for whoever sends another step"
        two.connection.commit()

    assert (g.status(one), answers) == ("running", [[]])
    g.work(one)
    assert (g.status(one), reopened(one)) == ("succeeded", False)


def test_while_another_run_is_being_planned_its_end_is_left_to_the_next_who_asks_for_work(
    toys: Toys,
):
    one, two = toys.one, toys.another(autocommit=False)
    failed(one)
    send(one, "fetch", 2)
    (chunk,) = one.claim()
    two.start("r2", "plain")
    two.sql("select headgate._lock('runs ' || pipeline_id, true) from headgate.pipelines")
    one.complete(chunk)
    assert (g.status(one), reopened(one)) == ("running", True)
    two.connection.commit()

    one.claim()

    assert (g.status(one), reopened(one)) == ("succeeded", False)


# ---------------------------------------------------------------- any sequence

STEPS = ("fetch", "judge", "write")
ACTIONS = st.one_of(
    st.tuples(st.just("send"), st.sampled_from(STEPS), st.integers(1, 4)),
    st.tuples(st.just("retry"), st.sampled_from((None, *STEPS, "report"))),
    st.tuples(
        st.just("mark"),
        st.sampled_from((*STEPS, "ready", "report")),
        st.sampled_from(("succeeded", "skipped", "failed")),
    ),
    st.tuples(
        st.just("report"),
        st.sampled_from(("ready", "report")),
        st.sampled_from(("succeeded", "failed")),
    ),
    st.tuples(st.just("work"), st.sampled_from(("success", "failed", "retry", "deferred"))),
    st.tuples(st.just("claim")),
    st.tuples(st.sampled_from(("cancel_execution", "finalize_execution", "check_quota"))),
    st.tuples(st.sampled_from(("pause_pipeline", "resume_pipeline"))),
)


class Hand:
    """Performs random actions on run r1, and keeps the chunks that it claims."""

    def __init__(self, toy: Toy) -> None:
        self.toy = toy
        self.held: list[Any] = []

    def do(self, what: str, *how: Any) -> None:
        """Perform one action; a rejected action changes nothing."""
        names: dict[str, Any] = {"p_pipeline": "graph", "p_run_id": "r1"}
        match what:
            case "send":
                self.take(send, self.toy, *how)
            case "report":
                self.take(report, self.toy, *how)
            case "mark":
                self.take(self.toy.call, "mark_step", **names, p_step=how[0], p_status=how[1])
            case "retry":
                self.take(self.toy.call, "retry_failed", **names, p_step=how[0])
            case "claim":
                self.held += self.take(self.toy.claim) or []
            case "work":
                self.work(*how)
            case "pause_pipeline" | "resume_pipeline":
                self.take(self.toy.call, what, p_pipeline="graph")
            case _:
                self.take(self.toy.call, what, **names)

    def work(self, outcome: str) -> None:
        """Complete the claimed chunks one by one, or the next one there is."""
        held, self.held = self.held or self.take(self.toy.claim) or [], []
        fault = "provider" if outcome == "retry" else "item"
        for chunk in held:
            self.take(self.toy.complete, chunk, outcome, fault=fault)

    def take(self, act: Callable[..., Any], *how: Any, **more: Any) -> Any:
        """Perform the action as a whole, or not at all if it is rejected."""
        try:
            with self.toy.connection.transaction():
                return act(*how, **more)
        except psycopg.Error as exc:
            assert (exc.sqlstate or "").startswith("HG"), exc
            return None


@settings(
    max_examples=either(25, 300),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(rule=st.sampled_from(("all_success", "all_done")), actions=st.lists(ACTIONS, max_size=12))
def test_no_sequence_leaves_a_run_open_with_nothing_to_do(
    toy: Toy, rule: str, actions: list[tuple[Any, ...]]
):
    toy.sql("savepoint example")
    now = toy.now
    try:
        failed(toy, trigger_rule=rule)
        hand = Hand(toy)
        for action in actions:
            hand.do(*action)
            assert toy.sql(WITHOUT_ANYTHING_TO_DO) == [], action
        hand.do("resume_pipeline")
        hand.do("work", "success")
        for _ in range(4):  # the deferred work is due again
            toy.drain()
            toy.later(minutes=10)
        assert not reopened(toy), "it has nothing to do any more"
        assert toy.units()[0] == sum(x["units"] for x in toy.chunks()), "nothing is held for it"
        toy.assert_ledger_balances()
    finally:
        toy.sql("rollback to savepoint example")
        toy.at(now)

"""Actions of a person in any order, in Airflow and in psql, and checks of the final state."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

import psycopg
from hypothesis import strategies as st

from tests.airflow.clicks import ASSETS, CLICKS, MOODS, STEPS, make_clicks_due
from tests.airflow.looks import leases_of
from tests.airflow.scene import Scene
from tests.attacks.form import either
from tests.limits import wait_until
from tests.plan import Row

ENDED: Final = ("success", "failed")
UNDER_WAY: Final = ("running", "paused")
RED: Final = ("failed", "upstream_failed")
GLANCE: Final = 10.0
"""Seconds to wait for the chosen moment before an action is done anyway."""
AGREE: Final = {"success": {"succeeded"}, "failed": {"failed", "cancelled"}}
"""Allowed statuses of an execution by its run's state in Airflow."""
MAY_DIFFER: Final = {
    "mark the run": "a person says how the run ended; the plan says what became of its jobs",
    "mark the task afterwards": "a run that has ended is not ended again by a mark in it",
    "clear alone afterwards": "finalize_execution was not cleared: it says what it said before",
    "retry_failed afterwards": "psql clears no task: the run says what it said before",
    "skip_step afterwards": "as retry_failed",
    "mark_step afterwards": "as retry_failed",
}
"""Actions after which the states of a run may differ, with the reason; afterwards: on an ended run."""
MAY_BE_RED: Final = ("mark the run", "mark the task afterwards")
"""Actions after which a green run may have a red task, because a person set the state."""


@dataclass(frozen=True)
class Click:
    """An action of a person, its run and its moment."""

    what: str
    words: tuple[str, ...] = ()
    is_other: bool = False
    moment: str = "at once"

    def __str__(self) -> str:
        run = "of another run, " if self.is_other and _act(self.what) not in RUNLESS else ""
        return f"{' '.join((self.what, *self.words))}, {run}{self.moment}"


def _act(what: str) -> str:
    return what.replace(" ", "_").replace("-", "_").lower()


MOMENTS: Final = ("at once", "while first waits", "while second waits", "when it has ended")
STATES: Final = ("failed", "success", "skipped")


def _each(what: str, *choices: Sequence[str]) -> st.SearchStrategy[tuple[str, tuple[str, ...]]]:
    return st.tuples(st.just(what), st.tuples(*map(st.sampled_from, choices)))


ACTS: Final = st.one_of(
    _each("trigger"),
    _each("order"),
    _each("mark the run", ("failed", "success")),
    _each("mark the task", STEPS, STATES),
    _each("clear", STEPS, ("alone", "and downstream")),
    _each("clear the run"),
    _each("pause the DAG"),
    _each("let the DAG go on"),
    _each("delete the run"),
    _each("back-fill"),
    _each("retry_failed"),
    _each("skip_step", STEPS),
    _each("mark_step", STEPS, ("failed", "succeeded")),
    _each("cancel_execution"),
    _each("pause_pipeline"),
    _each("resume_pipeline"),
    _each("the provider", MOODS),
    _each("kill", ("triggerer", "scheduler", "runner-1")),
)
CLICK: Final = st.builds(
    lambda act, is_other, moment: Click(act[0], act[1], is_other, moment),
    ACTS,
    st.integers(0, 3).map(lambda x: x == 3),
    st.sampled_from(MOMENTS),
)
SEQUENCES: Final = st.tuples(
    st.sampled_from(MOODS),
    st.lists(CLICK, min_size=4, max_size=either(6, 8), unique_by=lambda x: (x.what, x.words)),
)


@dataclass
class Desk:
    """A person who acts in Airflow and in psql."""

    stack: Scene
    said: list[str] = field(default_factory=list)
    done_to: dict[str, set[str]] = field(default_factory=dict)
    """Actions done to each run by hand."""
    before: set[str] = field(default_factory=set)
    """Remaining runs of earlier plays, which were checked then."""
    began: float = field(default_factory=time.monotonic)

    def play(self, mood: str, clicks: Sequence[Click]) -> None:
        """Start a run, do all actions, restore normal operation, and check the final state."""
        self.tidy()
        self.do(Click("the provider", (mood,)))
        self.do(Click("trigger"))
        for click in clicks:
            self.do(click)
        self.settle()
        self.look()

    def tidy(self) -> None:
        """Make everything due, and delete earlier runs."""
        wait_until(self.is_quiet, "the end of what was before")
        make_clicks_due(self.stack.plan)
        for run in self.runs():
            if not run.startswith("scheduled"):  # a scheduled run would be created again
                self.ask("delete", f"dagRuns/{run}")
        self.before = set(self.runs())

    def do(self, click: Click) -> None:
        """Do one action, and record its result."""
        run = self.run(click.is_other)
        self.wait_for(click.moment, run)
        act = getattr(self, _act(click.what))
        try:
            answer = act(*click.words) if act.__name__ in RUNLESS else self._to(run, act, click)
        except Exception as exc:
            self.say(click, exc)
            raise
        self.say(click, answer)

    def _to(self, run: str | None, act: Any, click: Click) -> str:
        if run is None:
            return "there is no run"
        was_over = self.is_over(run)
        answer: str = act(run, *click.words)
        if answer == "done":
            what = "clear alone" if click.words[1:] == ("alone",) else click.what
            over = was_over or self.is_over(run)
            self.done_to.setdefault(run, set()).update(
                {what, f"{what} afterwards"} if over else {what}
            )
        return f"{answer} ({run})"

    def say(self, what: object, answer: object) -> None:
        """Record and print an action with its result."""
        self.said.append(f"{time.monotonic() - self.began:6.1f} s  {what}: {answer}")
        print(self.said[-1], flush=True)

    # ------------------------------------------------------------------- looking

    def runs(self) -> dict[str, str]:
        """Return the states of the DAG's runs, newest first."""
        found = self.stack.api(f"dags/{CLICKS}/dagRuns?order_by=-run_after&limit=100")
        return {x["dag_run_id"]: x["state"] for x in found["dag_runs"]}

    def run(self, is_other: bool = False) -> str | None:
        """Return the run to act on: the running one, or else the newest."""
        states = self.runs()
        runs = sorted(states, key=lambda x: states[x] != "running")
        return runs[1] if is_other and len(runs) > 1 else next(iter(runs), None)

    def wait_for(self, moment: str, run: str | None) -> None:
        """Wait for a moment of a run, until it cannot come any more, or for GLANCE seconds."""
        if run is None or moment == "at once":
            return

        def has_come() -> bool:
            states = self.stack.states(CLICKS)
            if states.get(run, "success") in ENDED:
                return True
            current = next((x for x, state in states.items() if state == "running"), run)
            at_work = {x for x, status in self.steps(current).items() if status == "running"}
            if at_work and self.stack.answers.is_holding:
                return True
            return any(moment == f"while {x} waits" for x in at_work)

        with suppress(AssertionError):
            wait_until(has_come, moment, GLANCE)

    def steps(self, run: str) -> dict[str, str]:
        """Return a run's steps."""
        return self.stack.steps(CLICKS, run)

    def executions(self) -> dict[str, str]:
        """Return the statuses of the executions by run id."""
        rows = self.stack.rows(
            "select run_id, status from headgate.v_recent_executions where pipeline = 'clicks'"
        )
        return {x["run_id"]: x["status"] for x in rows}

    def is_over(self, run: str) -> bool:
        """Return whether a run has ended in Airflow or in the plan."""
        return (
            self.stack.states(CLICKS).get(run) in ENDED
            or self.executions().get(run, "running") not in UNDER_WAY
        )

    def is_quiet(self) -> bool:
        """Return whether nothing runs and no order waits."""
        return (
            set(self.stack.states(CLICKS).values()) <= set(ENDED)
            and not set(UNDER_WAY) & set(self.executions().values())
            and not self.stack.rows(
                "select from headgate.v_orders where pipeline = 'clicks' and status = 'waiting'"
            )
        )

    def whole(self) -> str:
        """Return a text with all actions and states."""
        executions = self.executions()
        lines = [
            f"{run}: {state}, {executions.get(run)}; {self.states_of(run)}; {self.steps(run)}"
            for run, state in self.runs().items()
        ]
        rows = self.stack.rows("select * from headgate.v_orders where pipeline = 'clicks' limit 5")
        lines += [f"open: {k}: {v}" for k, v in executions.items() if v in UNDER_WAY]
        lines += [f"order {x['order_id']}: {x['status']}: {x['reason']}" for x in rows]
        return "\n".join((*self.said, *lines))

    def states_of(self, run: str) -> dict[str, str]:
        """Return the states of a run's tasks."""
        return {name: str(x["state"]) for name, x in self.stack.tasks(CLICKS, run).items()}

    # ------------------------------------------------------------ Airflow's window

    def ask(self, method: str, path: str, given: Any = None) -> str:
        """Call Airflow's API; it may reject the request with a message, but not fail."""
        path = path if path.startswith("backfills") else f"dags/{CLICKS}/{path}".rstrip("/")
        answer = self.stack.client.request(method, path, json=given)
        assert answer.status_code < 500, answer.text
        return "done" if answer.is_success else f"refused: {answer.json()['detail']}"

    def trigger(self) -> str:
        return self.ask("post", "dagRuns", {"logical_date": None, "conf": {}})

    def back_fill(self) -> str:
        given = {"from_date": "2021-01-01T00:00:00Z", "to_date": "2022-01-01T00:00:00Z"}
        given |= {"dag_id": CLICKS, "reprocess_behavior": "completed"}
        return self.ask("post", "backfills", given)

    def pause_the_dag(self) -> str:
        return self.ask("patch", "", {"is_paused": True})

    def let_the_dag_go_on(self) -> str:
        return self.ask("patch", "", {"is_paused": False})

    def mark_the_run(self, run: str, state: str) -> str:
        return self.ask("patch", f"dagRuns/{run}", {"state": state})

    def mark_the_task(self, run: str, step: str, state: str) -> str:
        return self.ask("patch", f"dagRuns/{run}/taskInstances/{step}", {"new_state": state})

    def clear(self, run: str, step: str, extent: str) -> str:
        given = {"dry_run": False, "dag_run_id": run, "task_ids": [step], "only_failed": False}
        given["include_downstream"] = extent == "and downstream"
        return self.ask("post", "clearTaskInstances", given)

    def clear_the_run(self, run: str) -> str:
        return self.ask("post", f"dagRuns/{run}/clear", {"dry_run": False})

    def delete_the_run(self, run: str) -> str:
        return self.ask("delete", f"dagRuns/{run}")

    # ------------------------------------------------------------------------ psql

    def call(self, function: str, **arguments: Any) -> str:
        """Call a function; it may reject the call with an HG error, but not fail otherwise."""
        try:
            self.stack.plan.call(function, p_pipeline=CLICKS, **arguments)
        except psycopg.Error as exc:
            assert (exc.sqlstate or "").startswith("HG"), exc
            return f"refused: {exc.diag.message_primary}"
        return "done"

    def order(self) -> str:
        return self.call("trigger_pipeline")

    def retry_failed(self, run: str) -> str:
        return self.call("retry_failed", p_run_id=run)

    def skip_step(self, run: str, step: str) -> str:
        return self.call("skip_step", p_run_id=run, p_step=step)

    def mark_step(self, run: str, step: str, status: str) -> str:
        return self.call("mark_step", p_run_id=run, p_step=step, p_status=status)

    def cancel_execution(self, run: str) -> str:
        return self.call("cancel_execution", p_run_id=run)

    def pause_pipeline(self) -> str:
        return self.call("pause_pipeline")

    def resume_pipeline(self) -> str:
        return self.call("resume_pipeline")

    # ----------------------------------------------------------------- the machine

    def the_provider(self, mood: str) -> str:
        self.stack.answers.set_mood(mood)
        return "done"

    def kill(self, service: str) -> str:
        pid = self.stack.pid(service)
        self.stack.kill(service)
        if service.startswith("runner"):
            self.stack.plan.expire(*leases_of(self.stack, pid))
        return "done"

    # --------------------------------------------------------------- and afterwards

    def settle(self) -> None:
        """Restore normal operation, and wait until nothing runs."""
        self.do(Click("the provider", ("answers",)))
        self.do(Click("let the DAG go on"))
        self.do(Click("resume_pipeline"))
        try:
            wait_until(self.is_quiet, "the end of it all")
        except AssertionError:
            raise AssertionError(f"it does not end:\n{self.whole()}") from None
        self.say("both sides are quiet", list(self.runs().values()))

    def look(self) -> None:
        """Check that Airflow and plan agree, nothing is held, and the next run starts."""
        wrong = self._faults()
        while not self.is_quiet():  # a scheduled run has started meanwhile
            wait_until(self.is_quiet, "the end of it all")
            wrong = self._faults()
        assert not wrong, "\n".join((*wrong, self.whole()))
        self._look_at_the_next_run()

    def _faults(self) -> list[str]:
        executions = self.executions()
        judged = self.before - self.done_to.keys()
        runs = {run: x for run, x in self.runs().items() if x in ENDED and run not in judged}
        found = [x for run, state in runs.items() for x in self._faults_of(run, state, executions)]
        (left,) = self.stack.rows(
            "select (select sum(q.reserved) from headgate.v_quota as q where q.provider = 'clicks')"
            " as reserved, (select count(*) from headgate.chunks as c join headgate.process_executions"
            " as e using (execution_id) join headgate.pipelines as p using (pipeline_id)"
            " where p.name = 'clicks') as chunks"
        )
        return [*found, f"left behind: {left}"] if any(left.values()) else found

    def _faults_of(self, run: str, state: str, executions: dict[str, str]) -> list[str]:
        done = self.done_to.get(run, set())
        found = []
        if executions.get(run) not in AGREE[state]:
            said = f"{run} is {state} in Airflow and {executions.get(run)} in Postgres"
            found += self._unless(done & MAY_DIFFER.keys(), said)
        red = [name for name, x in self.states_of(run).items() if x in RED]
        if state == "success" and red:
            said = f"{run} is green, and {', '.join(red)} in it red"
            found += self._unless(done & set(MAY_BE_RED), said)
        return found

    def _unless(self, excuses: set[str], said: str) -> list[str]:
        if excuses:
            self.say(said, f"after {', '.join(sorted(excuses))}")
        return [] if excuses else [said]

    def _look_at_the_next_run(self) -> None:
        make_clicks_due(self.stack.plan)
        run = self.stack.trigger(CLICKS)
        try:
            wait_until(lambda: self.stack.states(CLICKS).get(run) in ENDED, "the next run")
        except AssertionError:
            raise AssertionError(f"the next run does not end:\n{self.whole()}") from None
        execution: Row = self.stack.execution(CLICKS, run)
        said = (self.runs()[run], execution["status"], execution["succeeded"])
        self.say("the next run", said)
        assert said == ("success", "succeeded", ASSETS * len(STEPS)), self.whole()


RUNLESS: Final = frozenset(
    {
        "trigger",
        "order",
        "back_fill",
        "pause_the_dag",
        "let_the_dag_go_on",
        "pause_pipeline",
        "resume_pipeline",
        "the_provider",
        "kill",
    }
)
"""Actions that do not concern a run."""

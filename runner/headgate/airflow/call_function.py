"""The operator `CallFunction`: calls one stored function, and reports its step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NoReturn

import psycopg
from airflow.sdk.exceptions import (
    AirflowException,
    AirflowFailException,
    AirflowSkipException,
    TaskDeferred,
)

from headgate.airflow.calls import (
    Row,
    ServerAway,
    cancel,
    connect,
    error_report,
    failure,
    scheduler_of,
    select,
)
from headgate.airflow.events import COUNTS, NOTE, counts_of, note_of, tell_outlets
from headgate.airflow.lineage import lineage_of
from headgate.airflow.links import ReportLink
from headgate.airflow.runs import abandoned_here
from headgate.airflow.tasks import LONGEST_STEP, OurTask, PlanOperator, RunTasks, settle_steps
from headgate.airflow.triggers import CONN_ID, TurnTrigger

if TYPE_CHECKING:
    from airflow.sdk import Context
    from psycopg import Connection

MAX_ROWS: Final = 1000
START: Final = "headgate.start_execution"
FINALIZE: Final = "headgate.finalize_execution"
BEGIN: Final = "headgate.begin_step"
REPORT: Final = "headgate.report_step"
CORE: Final = "headgate."
FIT: Final = "headgate.require_fit"
"""Checks that a plan's function runs with its owner's rights; otherwise it is not called."""
RETURNED: Final = "return_value"
"""Airflow's name of what a task returns."""
BLOCKED: Final = ("HG011", "HG013")
RETRIES: Final = {
    "retries": 3,
    "retry_delay": timedelta(minutes=1),
    "retry_exponential_backoff": 2.0,
}
"""Default retries, for lost connections. Errors that no retry can fix are never retried."""


class CallFunction(PlanOperator):
    """Call one stored function with the pipeline's name and the run id; return its rows as JSON.

    Args:
        function: the stored function, with its schema.
        args: further arguments by name, or other values for `p_pipeline` and `p_run_id`; templated.
        pipeline: the pipeline; by default the one named like the DAG; templated.
        step: the task's step in the plan; by default the task's name without its group's.
        max_wait: how long a start waits for another run, or a pause, of the pipeline to end.
        when_away: what a task that fails because the server is away logs and returns; templated.
        conn_id: Airflow's connection to the database.
    """

    template_fields: Sequence[str] = ("args", "pipeline", "step", "when_away")
    operator_extra_links = (ReportLink(),)

    def __init__(
        self,
        *,
        function: str,
        args: Mapping[str, Any] | None = None,
        pipeline: str | None = None,
        step: str | None = None,
        max_wait: timedelta = LONGEST_STEP,
        when_away: Mapping[str, Any] | None = None,
        conn_id: str = CONN_ID,
        **kwargs: Any,
    ) -> None:
        for name, value in RETRIES.items():
            if name not in kwargs.get("default_args", {}):
                kwargs.setdefault(name, value)
        super().__init__(**kwargs)
        self.function = function
        self.args = dict(args or {})
        self.pipeline = pipeline
        self.step = step or self.label
        self.max_wait = max_wait
        self.when_away = when_away
        self.conn_id = conn_id
        self._declared = pipeline  # not rendered: compared with other tasks' declared pipelines
        self._connection: Connection[Row] | None = None
        self._is_killed = False

    def execute(self, context: Context, until: datetime | None = None) -> list[Row]:
        """Call the function and commit; only then fail the task if the execution has failed."""
        run = context["dag_run"]
        named = self._named(run)
        arguments = {**named, **self._of_start(run), **self.args}
        lost = self._settle(run, named) if self.function == FINALIZE else []
        try:
            rows, status = self._call(arguments, named | {"p_step": self.step})
        except Blocked as exc:
            self._wait(exc, arguments["p_pipeline"], until)
        except ServerAway:
            if self.when_away is not None:
                self.log.error("%s", self.when_away)
                context["ti"].xcom_push(RETURNED, self.when_away)
            raise
        self.log.info("%s: %s row(s): %s", self.function, len(rows), rows[:20])
        if self.function == FINALIZE:
            context["ti"].xcom_push(COUNTS, counts_of(rows[0]))
            context["ti"].xcom_push(NOTE, note_of(rows[0]))
        if lost:
            raise AirflowFailException(
                f"{', '.join(lost)} failed in Airflow, and no step did: see that task's log"
            )
        self._judge(named["p_run_id"], rows, status)
        if self.function == FINALIZE:
            self._tell(context, named, rows[0])
        return rows

    def go_on(self, context: Context, until: str, event: Any = None) -> list[Row]:
        """Retry the start after a wait for the pipeline's turn."""
        return self.execute(context, datetime.fromisoformat(until))

    def _wait(self, said: Blocked, pipeline: str, until: datetime | None) -> NoReturn:
        """Wait in the triggerer for the pipeline's turn, for at most `max_wait`."""
        now = datetime.now(UTC)
        until = until or now + self.max_wait
        if now >= until:
            raise said
        self.log.warning("%s. Until %s this run waits for it", said, f"{until:%Y-%m-%d %H:%M} UTC")
        trigger = TurnTrigger(pipeline=pipeline, conn_id=self.conn_id)
        raise TaskDeferred(
            trigger=trigger, method_name="go_on", kwargs={"until": until.isoformat()}
        )

    def _of_start(self, run: Any) -> Row:
        """Return the further arguments of a start: logical date, back-fill, DAG and deployment."""
        if self.function != START:
            return {}
        at = getattr(run, "logical_date", None) or getattr(run, "run_after", None)
        told = {"p_logical_date": at, "p_is_backfill": is_backfill(run), "p_dag": run.dag_id}
        return told | scheduler_of(self.conn_id).named()

    def _judge(self, run_id: str, rows: list[Row], status: str) -> None:
        """Skip or fail the task according to the step or execution; the call is committed."""
        if status == "skipped":
            raise AirflowSkipException(f"step {self.step} is skipped: {rows[0]['reason']}")
        if status == "failed":
            raise AirflowFailException(f"{self.function} reports that it failed: {rows[0]}")
        if self.function == FINALIZE and rows[0]["status"] == "failed":
            raise AirflowFailException(
                f"execution {run_id} has failed: {rows[0]['failed']} of {rows[0]['planned']} "
                "jobs failed, or a step did; headgate.v_execution_steps says which"
            )
        if self.function == FINALIZE and rows[0]["status"] == "cancelled":
            raise AirflowFailException(
                f"execution {run_id} was cancelled: headgate.retry_failed opens it again"
            )
        if self.function == START and rows[0]["is_new"]:
            if rows[0]["status"] == "succeeded":
                raise AirflowSkipException("another run has taken the order: nothing is left to do")

    def _settle(self, run: Any, named: Row) -> list[str]:
        """Give the steps the states of their tasks; return the tasks that fail this one."""
        tasks = RunTasks(self.dag if self.has_dag() else None, run, self._declared)
        own = OurTask(self.task_id, self._declared, self.step)
        try:
            with connect(self.conn_id) as connection:
                return settle_steps(connection, tasks, own, named)
        except psycopg.Error as exc:
            raise failure(exc) from None

    def _tell(self, context: Context, named: Row, totals: Row) -> None:
        """Log what a green run has put off, and add its counts to the events of its assets."""
        if self.outlets:
            told = {"status": totals["status"], **counts_of(totals)}
            with connect(self.conn_id) as connection:
                groups = select(connection, "headgate.execution_groups", named)
            tell_outlets(self.outlets, context["outlet_events"], told, groups)
        if totals["deferred"]:
            self.log.warning(
                "%s of %s planned jobs were put off: headgate.v_deferrals says why",
                *(totals["deferred"], totals["planned"]),
            )

    def _named(self, run: Any) -> Row:
        return {
            "p_pipeline": self.pipeline or run.dag_id,
            "p_run_id": scheduler_of(self.conn_id).run_here(run.run_id),
        }

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any:
        """Return the call, for OpenLineage."""
        return lineage_of(self.function, self._named(task_instance))

    def on_kill(self) -> None:
        """Cancel the query, so that a killed task leaves nothing running in the database."""
        self._is_killed = True  # if no query is running now, this prevents the next one
        cancel(self._connection)

    def _check_alive(self) -> None:
        """Raise AirflowException if the task was killed between two statements."""
        if self._is_killed:
            raise AirflowException("the task was killed between two statements")

    def _call(self, arguments: Row, step: Row) -> tuple[list[Row], str]:
        try:
            with connect(self.conn_id) as connection:
                connection.add_notice_handler(lambda x: self.log.info("%s", x.message_primary))
                self._connection = connection
                return self._run(connection, arguments, step)
        except psycopg.Error as exc:
            said = failure(exc)  # so that the log ends with advice, not with psycopg's message
            if self.function == START and exc.sqlstate in BLOCKED:
                said = Blocked(str(said))
            raise said from None
        finally:
            self._connection = None

    def _run(self, connection: Connection[Row], arguments: Row, step: Row) -> tuple[list[Row], str]:
        """Call the function and report the step's result; return the rows and the step's status.

        Success is committed together with the call, failure after its rollback. A step whose
        condition is false is skipped instead.
        """
        try:
            if skipped := select(connection, BEGIN, step):
                return skipped, "skipped"
            connection.commit()  # releases its locks while the function runs
            if self.function == START:
                abandoned_here(connection, scheduler_of(self.conn_id), self.log)
            if not self.function.startswith(CORE):
                self._check_alive()
                select(connection, FIT, {"p_function": self.function, "p_is_plans": False})
            self._check_alive()
            rows = select(connection, self.function, arguments, self._limit_ms())
        except psycopg.Error as exc:
            output = error_report(exc)
            with suppress(psycopg.Error):
                connection.rollback()
                select(connection, REPORT, {**step, "p_status": "failed", "p_output": output})
                connection.commit()
            raise
        except BaseException:  # the task's own timeout
            cancel(connection)
            raise
        self._check_alive()
        report = {**step, "p_status": "succeeded", "p_output": rows[:MAX_ROWS]}
        said = select(connection, REPORT, report)
        return rows, said[0]["status"] if said else "succeeded"

    def _limit_ms(self) -> int:
        """Return the statement's limit in ms, which ends it before the task times out; 0: none."""
        timeout = self.execution_timeout
        return int(timeout.total_seconds() * 900) if timeout else 0


def is_backfill(run: Any) -> bool:
    """Return whether a run is for a past day: a back-fill, or a manual run for an earlier date."""
    kind, at = getattr(run, "run_type", None), getattr(run, "logical_date", None)
    if kind == "manual" and at is not None:
        return bool(at < datetime.now(UTC) - timedelta(days=1))
    return bool(kind == "backfill")


class Blocked(AirflowFailException):
    """A pipeline cannot be started now: another run of it is running, or it is paused."""

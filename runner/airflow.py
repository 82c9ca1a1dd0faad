"""Airflow as clock and window: tasks call stored functions and wait for steps without a worker.

`CallFunction` calls one function; `RunStep` starts a step and lets the triggerer wait for it;
`orders_or` is a schedule that also listens for orders from `headgate.trigger_pipeline`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import psycopg
from airflow.sdk import (
    Asset,
    AssetOrTimeSchedule,
    AssetWatcher,
    BaseOperator,
    CronTriggerTimetable,
)
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException
from airflow.triggers.base import StartTriggerArgs

from runner.airflow_calls import (
    Row,
    cancel,
    connect,
    deployment_of,
    error_report,
    failure,
    is_passed,
    select,
)
from runner.airflow_events import COUNTS, NOTE, counts_of, note_of, tell_outlets, units
from runner.airflow_lineage import lineage_of
from runner.airflow_links import ReportLink
from runner.airflow_runs import end_abandoned, failed_tasks
from runner.airflow_triggers import CONN_ID, OrderTrigger, StepTrigger, report_lines

if TYPE_CHECKING:
    from airflow.sdk import Context
    from psycopg import Connection

MOST_ROWS: Final = 1000
START: Final = "headgate.start_execution"
FINALIZE: Final = "headgate.finalize_execution"
REPORT: Final = "headgate.report_step"
LONGEST_STEP: Final = timedelta(hours=24)


class CallFunction(BaseOperator):
    """Call one stored function, with the DAG's id and run id; return its rows as JSON."""

    template_fields: Sequence[str] = ("args",)
    operator_extra_links = (ReportLink(),)

    def __init__(
        self,
        *,
        function: str,
        args: Mapping[str, Any] | None = None,
        conn_id: str = CONN_ID,
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault("retry_exponential_backoff", 2.0)
        super().__init__(**kwargs)
        self.function = function
        self.args = dict(args or {})
        self.conn_id = conn_id
        self._connection: Connection[Row] | None = None

    def execute(self, context: Context) -> list[Row]:
        """Call, commit, and fail only then when an execution was settled as failed."""
        run = context["dag_run"]
        arguments = {
            "p_pipeline": run.dag_id,
            "p_run_id": run.run_id,
            **self._of_start(run),
            **self.args,
        }
        step = {"p_pipeline": run.dag_id, "p_run_id": run.run_id, "p_step": self.task_id}
        rows, status = self._call(arguments, step)
        self.log.info("%s: %s row(s): %s", self.function, len(rows), rows[:20])
        if self.function == FINALIZE:
            context["ti"].xcom_push(COUNTS, counts_of(rows[0]))
            context["ti"].xcom_push(NOTE, note_of(rows[0]))
        self._judge(run.run_id, rows, status)
        if self.function == FINALIZE:
            self._check_tasks(run)
            self._tell(context, rows[0])
        return rows

    def _of_start(self, run: Any) -> Row:
        """Return what a start is told: the date Airflow runs it for, and which Airflow this is."""
        if self.function != START:
            return {}
        at = getattr(run, "logical_date", None) or getattr(run, "run_after", None)
        deployment = deployment_of(self.conn_id)
        return {"p_logical_date": at, "p_deployment": deployment, "p_dag": run.dag_id}

    def _judge(self, run_id: str, rows: list[Row], status: str) -> None:
        """End the task as the step or the execution stands, now that the call is committed."""
        if status == "failed":
            raise AirflowFailException(f"{self.function} reports that it failed: {rows[0]}")
        if self.function == FINALIZE and rows[0]["status"] == "failed":
            raise AirflowFailException(
                f"execution {run_id} has failed: {rows[0]['failed']} of {rows[0]['planned']} "
                "jobs failed, or a step did; headgate.v_execution_steps says which"
            )
        if self.function == START and rows[0]["is_new"]:
            if rows[0]["status"] == "succeeded":
                raise AirflowSkipException("another run has taken the order: nothing is left to do")

    def _check_tasks(self, run: Any) -> None:
        """Fail where a task of ours has failed, and no step with it: by a time-out, say."""
        tasks = self.dag.tasks if self.has_dag() else []
        ours = {x.task_id: x for x in tasks if isinstance(x, CallFunction | RunStep)}
        if ours and (red := failed_tasks(run.dag_id, run.run_id, list(ours))):
            named = {"p_pipeline": run.dag_id, "p_run_id": run.run_id}
            with connect(self.conn_id) as connection:
                failed = {x["step"] for x in select(connection, "headgate.failed_steps", named)}
            if unseen := [x for x in red if getattr(ours[x], "step", x) not in failed]:
                raise AirflowFailException(
                    f"{', '.join(unseen)} failed in Airflow, and no step did: see that task's log"
                )

    def _tell(self, context: Context, totals: Row) -> None:
        """Say what a green run has put off, and hand its counts to those whom its assets wake."""
        if self.outlets:
            told = {"status": totals["status"], **counts_of(totals)}
            tell_outlets(self.outlets, context["outlet_events"], told, self._groups(context))
        if totals["deferred"]:
            self.log.warning(
                "%s of %s planned jobs were put off: headgate.v_deferrals says why",
                *(totals["deferred"], totals["planned"]),
            )

    def _groups(self, context: Context) -> list[Row]:
        """Return what the run has brought, group by group."""
        run = context["dag_run"]
        named = {"p_pipeline": run.dag_id, "p_run_id": run.run_id}
        with connect(self.conn_id) as connection:
            return select(connection, "headgate.execution_groups", named)

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any:
        """Return the call, for OpenLineage."""
        return lineage_of(self.function, task_instance.dag_id, task_instance.run_id)

    def on_kill(self) -> None:
        """End the query: a task that is killed leaves nothing at work in the database."""
        cancel(self._connection)

    def _call(self, arguments: Row, step: Row) -> tuple[list[Row], str]:
        try:
            with connect(self.conn_id) as connection:
                connection.add_notice_handler(lambda x: self.log.info("%s", x.message_primary))
                self._connection = connection
                return self._run(connection, arguments, step)
        except psycopg.Error as exc:
            raise failure(exc) from None  # the log's last line is what to do, not psycopg's
        finally:
            self._connection = None

    def _run(self, connection: Connection[Row], arguments: Row, step: Row) -> tuple[list[Row], str]:
        """Call and report how the step went: with the call's own commit, or after it."""
        try:
            if self.function == START:
                end_abandoned(connection, arguments["p_deployment"], self.log)
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
        report = {**step, "p_status": "succeeded", "p_output": rows[:MOST_ROWS]}
        said = select(connection, REPORT, report)
        return rows, said[0]["status"] if said else "succeeded"

    def _limit_ms(self) -> int:
        """Return the statement's limit, so that it ends before the task is ended; 0: none."""
        timeout = self.execution_timeout
        return int(timeout.total_seconds() * 900) if timeout else 0


class RunStep(BaseOperator):
    """Run a step and wait for its end in the triggerer; clearing it runs what did not succeed."""

    start_from_trigger = True
    operator_extra_links = (ReportLink(),)

    def __init__(self, *, step: str | None = None, conn_id: str = CONN_ID, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.retries = 0  # a failed step costs money to repeat: people decide
        self.step = step or self.task_id
        self.conn_id = conn_id
        self.start_trigger_args = StartTriggerArgs(
            trigger_cls=f"{StepTrigger.__module__}.{StepTrigger.__qualname__}",
            trigger_kwargs={"conn_id": conn_id, "step": self.step},
            next_method="resume",
            timeout=self.execution_timeout or LONGEST_STEP,
        )

    def execute(self, context: Context) -> None:
        """Defer: the way of `dag.test()`; the scheduler starts the trigger without a worker."""
        instance = context["ti"]
        trigger = StepTrigger(
            conn_id=self.conn_id,
            step=self.step,
            pipeline=instance.dag_id,
            run_id=instance.run_id,
            attempt=instance.try_number,
        )
        self.defer(trigger=trigger, method_name="resume", timeout=LONGEST_STEP)

    def resume(self, context: Context, event: Any = None) -> None:
        """Ask the database how the step ended; the event only says that it has."""
        instance = context["ti"]
        arguments = {
            "p_pipeline": instance.dag_id,
            "p_run_id": instance.run_id,
            "p_step": self.step,
        }
        with connect(self.conn_id) as connection:
            (row,) = select(connection, "headgate.step_status", arguments)
            errors = select(connection, "headgate.step_errors", arguments)
            passed = is_passed(connection, arguments)
            row |= units(connection, arguments)
        instance.xcom_push(COUNTS, counts_of(row))
        for line in report_lines(row, errors):
            self.log.info("%s", line)
        if row["status"] == "skipped" and not passed:
            raise AirflowSkipException(f"step {self.step} was skipped")
        if not passed:
            raise AirflowFailException(f"step {self.step} ended as {row['status']}")

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any:
        """Return the call that starts the step, for OpenLineage."""
        of_run = (task_instance.dag_id, task_instance.run_id)
        return lineage_of("headgate.enqueue_step", *of_run, p_step=self.step)


def orders_or(cron: str, *, pipeline: str, conn_id: str = CONN_ID) -> AssetOrTimeSchedule:
    """Return a schedule: this cron expression (UTC), or an order for the pipeline."""
    watcher = AssetWatcher(
        name=f"{pipeline}_orders", trigger=OrderTrigger(pipeline=pipeline, conn_id=conn_id)
    )
    return AssetOrTimeSchedule(
        timetable=CronTriggerTimetable(cron, timezone="UTC"),
        assets=[Asset(name=f"{pipeline}_orders", watchers=[watcher])],
    )

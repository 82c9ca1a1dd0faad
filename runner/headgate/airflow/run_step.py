"""The operator `RunStep`: starts a step and waits for it without occupying a worker."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import psycopg
from airflow.sdk.exceptions import AirflowException, AirflowSkipException, TaskDeferralTimeout
from airflow.triggers.base import StartTriggerArgs

from headgate.airflow.calls import (
    Row,
    connect,
    failure,
    is_final,
    is_passed,
    listen,
    scheduler_of,
    select,
    wait_for_end,
)
from headgate.airflow.events import COUNTS, counts_of, units
from headgate.airflow.lineage import lineage_of
from headgate.airflow.links import ReportLink
from headgate.airflow.runs import end_by_hand
from headgate.airflow.tasks import LONGEST_STEP, MARK, PlanOperator
from headgate.airflow.triggers import CONN_ID, PAUSED, StepTrigger, report_lines

if TYPE_CHECKING:
    from airflow.sdk import Context

ENQUEUE: Final = "headgate.enqueue_step"


class RunStep(PlanOperator):
    """Run a step and wait for its end in the triggerer; clearing it runs what did not succeed.

    Args:
        pipeline: the pipeline; by default the one named like the DAG; templated.
        step: the step in the plan; by default the task's name without its group's; templated.
        worker_wait: how long a worker waits for the step's end before the triggerer does, for a
            step of one or two quick calls; by default no worker waits. The triggerer starts and
            ends tasks once a second each, which takes longer than such a call.
        conn_id: Airflow's connection to the database.

    A failed step is retried only if `retries` is set: a retry is another round of the step and is
    charged again. After `execution_timeout` (by default a day) the step's jobs that have not
    started are cancelled.
    """

    template_fields: Sequence[str] = ("pipeline", "step")
    operator_extra_links = (ReportLink(),)
    start_from_trigger = False  # a mapped task is deferred by a worker

    def __init__(
        self,
        *,
        pipeline: str | None = None,
        step: str | None = None,
        worker_wait: timedelta = timedelta(0),
        conn_id: str = CONN_ID,
        **kwargs: Any,
    ) -> None:
        if "retries" not in kwargs.get("default_args", {}):
            kwargs.setdefault("retries", 0)
        super().__init__(**kwargs)
        self.pipeline = pipeline
        self.step = step or self.label
        self.conn_id = conn_id
        # Airflow ends a worker's wait at the task's timeout, so the wait takes at most half of it.
        self.worker_wait = min(worker_wait, self._longest() / 2)
        self._waiting: Any = None
        self.start_from_trigger = not worker_wait
        self.start_trigger_args = StartTriggerArgs(
            trigger_cls=f"{StepTrigger.__module__}.{StepTrigger.__qualname__}",
            trigger_kwargs=self._of_trigger(),
            next_method="resume",
            timeout=self._longest(),
        )

    def execute(self, context: Context) -> None:
        """Start the step and wait in this worker for `worker_wait`; then defer.

        Without `worker_wait` only mapped tasks and those of `dag.test()` are executed here.
        """
        instance = context["ti"]
        of_run = self._named(instance)
        if self.worker_wait and self._has_ended(instance, of_run):
            self.resume(context)
            return
        trigger = StepTrigger(
            **self._of_trigger() | {"pipeline": of_run["p_pipeline"]},
            run_id=of_run["p_run_id"],
            attempt=instance.try_number,
        )
        self.defer(trigger=trigger, method_name="resume", timeout=self._longest())

    def _has_ended(self, instance: Any, step: Row) -> bool:
        """Start the step and wait for `worker_wait`; return whether it has ended.

        False also for a lost connection, which the trigger waits for.
        """
        self._waiting = instance
        try:
            with connect(self.conn_id) as connection:
                listen(connection, "headgate_steps")
                connection.commit()
                select(connection, ENQUEUE, step | {"p_attempt": instance.try_number})
                return wait_for_end(connection, step, self.worker_wait.total_seconds())
        except (psycopg.Error, AirflowException) as exc:
            said = failure(exc) if isinstance(exc, psycopg.Error) else exc
            if is_final(said) and getattr(exc, "sqlstate", None) != PAUSED:
                raise said from None
            self.log.warning("%s", said)
            return False
        finally:
            self._waiting = None

    def on_kill(self) -> None:
        """End the step or its run in Postgres if a person has ended it in Airflow."""
        if (it := self._waiting) is None:
            return
        call = end_by_hand(it.dag_id, it.run_id, it.task_id, self._named(it))
        if call is not None:
            with connect(self.conn_id) as connection:
                select(connection, *call)

    def resume(self, context: Context, event: Any = None) -> None:
        """Read the step's result from the database; the event only reports its end."""
        instance = context["ti"]
        arguments = self._named(instance)
        with connect(self.conn_id) as connection:
            (row,) = select(connection, "headgate.step_status", arguments)
            errors = select(connection, "headgate.step_errors", arguments)
            passed = is_passed(connection, arguments)
            row |= units(connection, arguments)
        instance.xcom_push(COUNTS, counts_of(row))
        for line in report_lines(row, errors):
            self.log.info("%s", line)
        if row["status"] == "skipped" and not passed:
            raise AirflowSkipException(f"step {self.step} was skipped: {row['skip_reason']}")
        if not passed:
            raise AirflowException(f"step {self.step} ended as {row['status']}")

    def resume_execution(
        self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context
    ) -> Any:
        """Resume the task; on a timeout, mark the step as failed in the plan too."""
        try:
            return super().resume_execution(next_method, next_kwargs, context)
        except TaskDeferralTimeout:
            with connect(self.conn_id) as connection:
                step = self._named(context["ti"]) | {"p_status": "failed"}
                select(connection, MARK, step)
            raise AirflowException(
                f"step {self.step} has not ended within {self._longest()}, the task's "
                "execution_timeout: what of it had not started is cancelled"
            ) from None

    def _named(self, instance: Any) -> Row:
        return {
            "p_pipeline": self.pipeline or instance.dag_id,
            "p_run_id": scheduler_of(self.conn_id).run_here(instance.run_id),
            "p_step": self.step,
        }

    def _of_trigger(self) -> Row:
        return {
            "conn_id": self.conn_id,
            "pipeline": self.pipeline,
            "step": self.step,
            "retries": self.retries,
        }

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any:
        """Return the call that starts the step, for OpenLineage."""
        return lineage_of(ENQUEUE, self._named(task_instance))

    def _longest(self) -> timedelta:
        return self.execution_timeout or LONGEST_STEP

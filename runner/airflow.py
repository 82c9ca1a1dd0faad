"""Airflow as clock and window: tasks call stored functions and wait for steps without a worker.

`CallFunction` calls one function; `RunStep` starts a step and lets the triggerer wait for it;
`orders_or` is a schedule that also listens for orders from `headgate.trigger_pipeline`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import psycopg
from airflow.sdk import (
    Asset,
    AssetOrTimeSchedule,
    AssetWatcher,
    BaseHook,
    BaseOperator,
    CronTriggerTimetable,
)
from airflow.sdk.exceptions import AirflowFailException
from airflow.triggers.base import (
    BaseEventTrigger,
    BaseTrigger,
    StartTriggerArgs,
    TaskFailedEvent,
    TaskSkippedEvent,
    TaskSuccessEvent,
    TriggerEvent,
)
from psycopg import AsyncConnection, Connection, sql
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

if TYPE_CHECKING:
    from airflow.sdk import Connection as AirflowConnection
    from airflow.sdk import Context

CONN_ID: Final = "headgate"
POLL: Final = 15.0
LONGEST_PAUSE: Final = 30.0
LONGEST_STEP: Final = timedelta(hours=24)
FINAL: Final = ("HG", "28", "3D", "42")
"""SQLSTATE classes no retry mends: Headgate's own, login, database, rights and names."""

Row = dict[str, Any]


class CallFunction(BaseOperator):
    """Call one stored function, with the DAG's id and run id; return its rows as JSON."""

    template_fields: Sequence[str] = ("args",)

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

    def execute(self, context: Context) -> list[Row]:
        """Call, commit, and fail only then when an execution was settled as failed."""
        run = context["dag_run"]
        arguments = {"p_pipeline": run.dag_id, "p_run_id": run.run_id, **self.args}
        rows = self._call(arguments)
        self.log.info("%s: %s row(s): %s", self.function, len(rows), rows[:20])
        if self.function == "headgate.finalize_execution" and rows[0]["status"] == "failed":
            raise AirflowFailException(
                f"execution {run.run_id} has failed: {rows[0]['failed']} of {rows[0]['planned']} "
                "jobs failed, or a step did; headgate.v_execution_steps says which"
            )
        return rows

    def _call(self, arguments: Row) -> list[Row]:
        connection = None
        try:
            connection = psycopg.connect(**_parameters(_connection(self.conn_id)))
            connection.add_notice_handler(lambda x: self.log.info("%s", x.message_primary))
            with connection:
                return _select(connection, self.function, arguments, self._limit_ms())
        except psycopg.Error as exc:
            raise _failure(exc) or exc from exc
        except BaseException:
            if connection is not None:
                with suppress(psycopg.Error):
                    connection.cancel_safe(timeout=3)
            raise

    def _limit_ms(self) -> int:
        """Return the statement's limit, so that it ends before the task is ended; 0: none."""
        timeout = self.execution_timeout
        return int(timeout.total_seconds() * 900) if timeout else 0


class RunStep(BaseOperator):
    """Run a step and wait for its end in the triggerer; clearing it runs what did not succeed."""

    start_from_trigger = True

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
        with psycopg.connect(**_parameters(_connection(self.conn_id))) as connection:
            (row,) = _select(connection, "headgate.step_status", arguments)
            errors = _select(connection, "headgate.step_errors", arguments)
        for line in _report(row, errors):
            self.log.info("%s", line)
        if row["status"] not in ("succeeded", "skipped"):
            raise AirflowFailException(f"step {self.step} ended as {row['status']}")


class StepTrigger(BaseTrigger):
    """Start a step and wait for its end; the attempt makes a restart of it harmless."""

    def __init__(
        self,
        conn_id: str,
        step: str,
        pipeline: str | None = None,
        run_id: str | None = None,
        attempt: int | None = None,
    ) -> None:
        super().__init__()
        self.conn_id = conn_id
        self.step = step
        self.pipeline = pipeline
        self.run_id = run_id
        self.attempt = attempt

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what builds it again."""
        names = ("conn_id", "step", "pipeline", "run_id", "attempt")
        return f"{__name__}.StepTrigger", {name: getattr(self, name) for name in names}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait through lost connections; end the task here, without a worker."""
        pause = 0.5
        while True:
            try:
                row, errors = await self._run_step()
                break
            except psycopg.Error as exc:
                if failure := _failure(exc):
                    self.log.error("%s", failure)
                    yield TaskFailedEvent()
                    return
                self.log.warning("lost the database, trying again: %s", _first_line(exc))
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
        for line in _report(row, errors):
            self.log.info("%s", line)
        if row["status"] == "succeeded":
            yield TaskSuccessEvent()
        elif row["status"] == "skipped":
            yield TaskSkippedEvent()
        else:
            self.log.error("step %s ended as %s", self.step, row["status"])
            yield TaskFailedEvent()

    async def _run_step(self) -> tuple[Row, list[Row]]:
        instance = self.task_instance
        arguments = {
            "p_pipeline": self.pipeline or instance.dag_id,
            "p_run_id": self.run_id or instance.run_id,
            "p_step": self.step,
        }
        attempt = {"p_attempt": self.attempt or instance.try_number}
        async with await _aconnect(self.conn_id) as connection:
            await connection.execute("listen headgate_steps")
            await _aselect(connection, "headgate.enqueue_step", arguments | attempt)
            while True:
                (row,) = await _aselect(connection, "headgate.step_status", arguments)
                if row["status"] not in ("pending", "running"):
                    return row, await _aselect(connection, "headgate.step_errors", arguments)
                async for notify in connection.notifies(timeout=POLL):
                    if _is_about(notify.payload, arguments):
                        break


class OrderTrigger(BaseEventTrigger):
    """Wake a DAG once for each order that waits; the order itself is a row in Postgres."""

    def __init__(self, pipeline: str, conn_id: str = CONN_ID) -> None:
        super().__init__()
        self.pipeline = pipeline
        self.conn_id = conn_id

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what builds it again."""
        return f"{__name__}.OrderTrigger", {"pipeline": self.pipeline, "conn_id": self.conn_id}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yield an event whenever another order has become the oldest that waits."""
        woken_for = None
        while True:
            try:
                async with await _aconnect(self.conn_id) as connection:
                    await connection.execute("listen headgate_orders")
                    while True:
                        (row,) = await _aselect(
                            connection, "headgate.pending_orders", {"p_pipeline": self.pipeline}
                        )
                        if row["oldest"] is not None and row["oldest"] != woken_for:
                            woken_for = row["oldest"]
                            yield TriggerEvent({"pipeline": self.pipeline, "order_id": woken_for})
                        async for notify in connection.notifies(timeout=POLL):
                            if notify.payload == self.pipeline:
                                break
            except psycopg.Error as exc:
                self.log.warning("cannot listen for orders: %s", _failure(exc) or _first_line(exc))
                await asyncio.sleep(POLL)


def orders_or(cron: str, *, pipeline: str, conn_id: str = CONN_ID) -> AssetOrTimeSchedule:
    """Return a schedule: this cron expression (UTC), or an order for the pipeline."""
    watcher = AssetWatcher(
        name=f"{pipeline}_orders", trigger=OrderTrigger(pipeline=pipeline, conn_id=conn_id)
    )
    return AssetOrTimeSchedule(
        timetable=CronTriggerTimetable(cron, timezone="UTC"),
        assets=[Asset(name=f"{pipeline}_orders", watchers=[watcher])],
    )


def _connection(conn_id: str) -> AirflowConnection:
    try:
        return BaseHook.get_connection(conn_id)
    except Exception as exc:
        raise AirflowFailException(
            f"there is no connection {conn_id!r}: set AIRFLOW_CONN_{conn_id.upper()}, or add it "
            "under Admin, Connections"
        ) from exc


def _parameters(connection: AirflowConnection) -> dict[str, Any]:
    """Return libpq's parameters of an Airflow connection."""
    extra = {k: v for k, v in connection.extra_dejson.items() if isinstance(v, str | int)}
    named = {
        "host": connection.host,
        "port": connection.port,
        "dbname": connection.schema,
        "user": connection.login,
        "password": connection.password,
    }
    return {
        "application_name": "headgate airflow",
        "connect_timeout": 10,
        "row_factory": dict_row,
        **extra,
        **{name: value for name, value in named.items() if value},
    }


async def _aconnect(conn_id: str) -> AsyncConnection[Row]:
    connection = await BaseHook.aget_connection(conn_id)
    return await AsyncConnection.connect(**_parameters(connection), autocommit=True)


def _statement(function: str, arguments: Row) -> tuple[sql.Composed, Row]:
    names = [sql.SQL("{} => {}").format(sql.Identifier(k), sql.Placeholder(k)) for k in arguments]
    query = sql.SQL("select to_jsonb(t) as row from (select * from {}({})) as t").format(
        sql.Identifier(*function.split(".", 1)), sql.SQL(", ").join(names)
    )
    values = {k: Jsonb(v) if isinstance(v, dict | list) else v for k, v in arguments.items()}
    return query, values


def _select(
    connection: Connection[Row], function: str, arguments: Row, limit_ms: int = 0
) -> list[Row]:
    if limit_ms:
        connection.execute("select set_config('statement_timeout', %s, true)", (str(limit_ms),))
    return [x["row"] for x in connection.execute(*_statement(function, arguments)).fetchall()]


async def _aselect(connection: AsyncConnection[Row], function: str, arguments: Row) -> list[Row]:
    cursor = await connection.execute(*_statement(function, arguments))
    return [x["row"] for x in await cursor.fetchall()]


def _failure(exc: psycopg.Error) -> AirflowFailException | None:
    """Return what to fail with at once; None where another try may help."""
    text = _first_line(exc)
    if exc.sqlstate and exc.sqlstate[:2] in FINAL:
        hint = exc.diag.message_hint
        return AirflowFailException(
            f"{exc.diag.message_primary or text} ({exc.sqlstate})" + (f": {hint}" if hint else "")
        )
    if "authentication failed" in text or "does not exist" in text or "no password" in text:
        return AirflowFailException(f"{text}: correct the connection, or its role's rights")
    return None


def _first_line(exc: Exception) -> str:
    return str(exc).strip().partition("\n")[0] or type(exc).__name__


def _report(row: Row, errors: list[Row]) -> list[str]:
    counts = ("planned", "succeeded", "failed", "deferred", "skipped")
    line = ", ".join(f"{row[name]} {name}" for name in counts)
    return [
        f"step {row['step']}: {row['status']}: {line}",
        *(f"{x['asset']} {x['operation']} {x['status']}: {x['error']}" for x in errors),
    ]


def _is_about(payload: str, arguments: Row) -> bool:
    said = json.loads(payload)
    wanted = (arguments["p_pipeline"], arguments["p_run_id"])
    return (said["pipeline"], said["run_id"]) == wanted and said["step"] in (
        arguments["p_step"],
        None,
    )

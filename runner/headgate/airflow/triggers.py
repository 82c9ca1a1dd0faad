"""Triggers that wait for a step's end, a pipeline's turn or an order, without a worker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any, Final

import psycopg
from airflow.sdk.exceptions import AirflowException
from airflow.triggers.base import (
    BaseEventTrigger,
    BaseTrigger,
    TaskFailedEvent,
    TaskSkippedEvent,
    TaskSuccessEvent,
    TriggerEvent,
)
from psycopg import AsyncConnection

from headgate.airflow.calls import (
    OPEN,
    POLL,
    Row,
    aconnect,
    aexecution_id,
    ais_passed,
    alisten,
    ascheduler_of,
    aselect,
    failure,
    is_final,
    wait_for_news,
)
from headgate.airflow.events import aunits, xcoms_of
from headgate.airflow.runs import end_by_hand

CONN_ID: Final = "headgate"
ORDERS: Final = "_orders"
"""Suffix of a pipeline's name in the Airflow asset of its orders."""
PAUSED: Final = "HG013"
LONGEST_TURN: Final = 60.0
"""Seconds that a run waits for its turn before its start is retried."""
LONGEST_PAUSE: Final = 30.0
ENDING: Final[set[asyncio.Future[None]]] = set()
"""Running `_end` tasks; the event loop holds only weak references to them."""


class StepTrigger(BaseTrigger):
    """Start a step and wait for its end; the attempt's number makes a restart harmless."""

    def __init__(
        self,
        conn_id: str,
        step: str,
        pipeline: str | None = None,
        run_id: str | None = None,
        attempt: int | None = None,
        retries: int = 0,
    ) -> None:
        super().__init__()
        self.conn_id = conn_id
        self.step = step
        self.pipeline = pipeline
        self.run_id = run_id
        self.attempt = attempt
        self.retries = retries
        self._is_paused = False

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class path and arguments that rebuild the trigger."""
        names = ("conn_id", "step", "pipeline", "run_id", "attempt", "retries")
        return f"{__name__}.StepTrigger", {name: getattr(self, name) for name in names}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait for the step, reconnecting as needed, and end the task without a worker."""
        pause = 0.5
        while True:
            try:
                row, errors, passed = await self._run_step()
                break
            except (psycopg.Error, AirflowException) as exc:
                said = failure(exc) if isinstance(exc, psycopg.Error) else exc
                if is_final(said) and getattr(exc, "sqlstate", None) != PAUSED:
                    self.log.error("%s", said)
                    yield TaskFailedEvent()
                    return
                self.log.warning("%s", said)
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
        for line in report_lines(row, errors):
            self.log.info("%s", line)
        told = xcoms_of(row, row["run_id"])
        if passed:
            yield TaskSuccessEvent(xcoms=told)
        elif row["status"] == "skipped":
            yield TaskSkippedEvent(xcoms=told)
        elif self.retries:  # a worker fails the task: only then does Airflow apply retries
            yield TriggerEvent({"status": row["status"]})
        else:
            self.log.error("step %s ended as %s", self.step, row["status"])
            yield TaskFailedEvent(xcoms=told)

    async def on_kill(self) -> None:
        """End the run or step in Postgres that a person ended in Airflow; a cleared one goes on.

        The triggerer repeats the cancellation every second until the trigger ends, so `_end` is
        shielded from it.
        """
        ending = asyncio.ensure_future(self._end())
        ENDING.add(ending)
        ending.add_done_callback(ENDING.discard)
        await asyncio.shield(ending)

    async def _end(self) -> None:
        step, it = await self._step(), self.task_instance
        call = await asyncio.to_thread(end_by_hand, it.dag_id, it.run_id, it.task_id, step)
        if call is not None:
            async with await aconnect(self.conn_id) as connection:
                await aselect(connection, *call)

    async def _step(self) -> Row:
        run_id = self.run_id
        if run_id is None:
            scheduler = await ascheduler_of(self.conn_id)
            run_id = scheduler.run_here(self.task_instance.run_id)
        return {
            "p_pipeline": self.pipeline or self.task_instance.dag_id,
            "p_run_id": run_id,
            "p_step": self.step,
        }

    async def _run_step(self) -> tuple[Row, list[Row], bool]:
        arguments = await self._step()
        attempt = {"p_attempt": self.attempt or self.task_instance.try_number}
        async with await aconnect(self.conn_id) as connection:
            await alisten(connection, "headgate_steps")
            await aselect(connection, "headgate.enqueue_step", arguments | attempt)
            execution = await aexecution_id(connection, arguments)
            while True:
                (row,) = await aselect(connection, "headgate.step_status", arguments)
                if row["status"] not in OPEN:
                    errors = await aselect(connection, "headgate.step_errors", arguments)
                    row |= await aunits(connection, arguments)
                    row["run_id"] = arguments["p_run_id"]
                    return row, errors, await ais_passed(connection, arguments)
                await self._tell_of_pause(connection, arguments["p_pipeline"])
                await wait_for_news(connection, execution.__eq__)

    async def _tell_of_pause(self, connection: AsyncConnection[Row], pipeline: str) -> None:
        """Log in the task when its pipeline is paused, and when it resumes."""
        found = await aselect(connection, "headgate.start_obstacle", {"p_pipeline": pipeline})
        pauses = [x for x in found if x["code"] == PAUSED]
        if pauses and not self._is_paused:
            self.log.warning("%s: %s", pauses[0]["message"], pauses[0]["hint"])
        elif self._is_paused and not pauses:
            self.log.info("pipeline %s goes on", pipeline)
        self._is_paused = bool(pauses)


class TurnTrigger(BaseTrigger):
    """Wait until a pipeline can be started, or for LONGEST_TURN; then its start is retried."""

    def __init__(self, pipeline: str, conn_id: str = CONN_ID) -> None:
        super().__init__()
        self.pipeline = pipeline
        self.conn_id = conn_id

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class path and arguments that rebuild the trigger."""
        return f"{__name__}.TurnTrigger", {"pipeline": self.pipeline, "conn_id": self.conn_id}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait for the pipeline's turn, reconnecting as needed."""
        with suppress(TimeoutError):
            async with asyncio.timeout(LONGEST_TURN):
                while True:
                    try:
                        await self._turn()
                        break
                    except (psycopg.Error, AirflowException) as exc:
                        said = failure(exc) if isinstance(exc, psycopg.Error) else exc
                        self.log.warning("%s", said)
                        await asyncio.sleep(POLL)
        yield TriggerEvent({"pipeline": self.pipeline})

    async def _turn(self) -> None:
        async with await aconnect(self.conn_id) as connection:
            await alisten(connection, "headgate_steps")
            await alisten(connection, "headgate_orders")
            named = {"p_pipeline": self.pipeline}
            while await aselect(connection, "headgate.start_obstacle", named):
                await wait_for_news(connection)


class OrderTrigger(BaseEventTrigger):
    """Wake a DAG once for each waiting order; the order itself is a row in Postgres."""

    def __init__(self, pipeline: str, conn_id: str = CONN_ID) -> None:
        super().__init__()
        self.pipeline = pipeline
        self.conn_id = conn_id

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class path and arguments that rebuild the trigger."""
        return f"{__name__}.OrderTrigger", {"pipeline": self.pipeline, "conn_id": self.conn_id}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yield one event for each order; the database announces each order once, in order."""
        while True:
            try:
                scheduler = await ascheduler_of(self.conn_id)
                wanted = {"p_pipeline": self.pipeline} | scheduler.named()
                async with await aconnect(self.conn_id) as connection:
                    await alisten(connection, "headgate_orders")
                    while True:
                        for row in await aselect(connection, "headgate.announce_order", wanted):
                            yield TriggerEvent({"pipeline": self.pipeline, **row})
                        await wait_for_news(connection)
            except (psycopg.Error, AirflowException) as exc:
                said = failure(exc) if isinstance(exc, psycopg.Error) else exc
                self.log.warning("cannot listen for orders: %s", said)
                await asyncio.sleep(POLL)


def report_lines(row: Row, errors: list[Row]) -> list[str]:
    """Return log lines with a step's status and counts, and the errors of its first jobs."""
    counts = ("planned", "succeeded", "failed", "deferred", "skipped")
    line = ", ".join(f"{row[name]} {name}" for name in counts)
    return [
        f"step {row['step']}: {row['status']}{_because(row)}: {line}",
        *(f"{x['asset']} {x['operation']} {x['status']}: {x['error']}" for x in errors),
    ]


def _because(row: Row) -> str:
    return f" ({row['skip_reason']})" if row.get("skip_reason") else ""

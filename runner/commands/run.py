"""`headgate run`: start a pipeline and carry it through to its end."""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import suppress
from typing import Annotated, Any

import typer
from psycopg import Connection
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from runner.commands import console
from runner.commands.options import AsJson, Params, Pipeline, parse_params
from runner.commands.progress import Watch
from runner.commands.signals import Stop, stop_on_signal
from runner.commands.status import EXECUTIONS, find_run, steps_of
from runner.commands.summary import print_summary, waiting_of
from runner.commands.worker import Concurrency
from runner.database import mapped_errors
from runner.errors import HeadgateError, PlanAlreadyRunning, SecretMissing
from runner.settings import Settings

OURS = "manual-"
"""How the names begin that headgate.run_pipeline gives to runs."""

SECRETS = "select * from headgate.required_secrets(p_pipeline => %(pipeline)s)"
START = """
select r.run_id from headgate.run_pipeline(p_pipeline => %(pipeline)s, p_params => %(params)s) as r
"""


def run(
    pipeline: Pipeline,
    param: Params = None,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Worker processes.")] = 1,
    concurrency: Concurrency = 50,
    as_json: AsJson = False,
) -> None:
    """Run a pipeline to its end; goes on with a run that an interrupted command left behind."""
    settings = console.ready_settings()
    params = parse_params(param)
    with console.open_database(settings, "run") as connection, mapped_errors():
        _require_secrets(connection, pipeline)
        run_id = _start(connection, pipeline, params)
        watch = Watch(settings, pipeline, run_id)
        interrupted = asyncio.run(_work_off(settings, watch, workers, concurrency))
    if interrupted:
        console.say(f"{run_id} is not done; the same command without --param goes on with it")
        raise typer.Exit(interrupted)
    with console.open_database(settings, "run") as connection:
        row = find_run(connection, pipeline, run_id)
        waiting = waiting_of(connection, pipeline, run_id)
        steps = steps_of(connection, pipeline, run_id)
    if as_json:
        console.print_json({**row, "steps": steps, "waiting": waiting})
    else:
        print_summary(settings, row, steps, waiting)
    if row["status"] != "succeeded":
        raise typer.Exit(1)


def _require_secrets(connection: Connection[DictRow], pipeline: str) -> None:
    for row in connection.execute(SECRETS, {"pipeline": pipeline}):
        if not os.environ.get(row["secret_name"]):
            raise SecretMissing(
                f"pipeline {pipeline} asks provider {row['provider']}, "
                f"whose secret {row['secret_name']} is not set",
                hint=f"set the environment variable {row['secret_name']}; it is kept nowhere else",
            )


def _start(connection: Connection[DictRow], pipeline: str, params: dict[str, Any]) -> str:
    try:
        with mapped_errors():
            arguments = {"pipeline": pipeline, "params": Jsonb(params)}
            row = connection.execute(START, arguments).fetchone()
    except PlanAlreadyRunning:
        found = None if params else _left_behind(connection, pipeline)
        if found is None:
            raise
        console.say(f"going on with {found}, which was left running")
        return found
    run_id = str(row["run_id"]) if row else ""
    console.say(f"started {pipeline} {run_id}")
    return run_id


def _left_behind(connection: Connection[DictRow], pipeline: str) -> str | None:
    """Return the running run that this command started earlier, if that is what runs."""
    rows = connection.execute(EXECUTIONS, {"pipeline": pipeline, "run_id": None, "limit": 100})
    running = [x["run_id"] for x in rows if x["status"] == "running"]
    return next((x for x in running if x.startswith(OURS)), None)


async def _work_off(settings: Settings, watch: Watch, workers: int, concurrency: int) -> int:
    """Work until the run has ended: 0, or the exit code of a signal that came before."""
    with stop_on_signal() as stop:
        ended = asyncio.Event()
        watching = asyncio.create_task(watch.until_ended(ended))
        try:
            if workers == 1:
                from runner.worker import work  # brings the HTTP client

                await work(settings, concurrency=concurrency, until=ended, stop=stop)
            else:
                await _work_in_processes(workers, concurrency, ended, stop)
        except BaseException:
            watching.cancel()
            raise
        if stop.is_set() and not ended.is_set():
            watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching
        return 0 if ended.is_set() else stop.exit_code


async def _work_in_processes(
    count: int, concurrency: int, ended: asyncio.Event, stop: Stop
) -> None:
    """Run workers that end, in good order, when this process closes their input or is gone."""
    command = (sys.executable, "-m", "runner", "worker", "--until-input-ends")
    processes = [
        await asyncio.create_subprocess_exec(
            *command,
            f"--concurrency={max(1, concurrency // count)}",
            stdin=asyncio.subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is for us; they end when we say so
        )
        for _ in range(count)
    ]
    gone = asyncio.gather(*(x.wait() for x in processes))
    waits = [asyncio.ensure_future(x) for x in (ended.wait(), stop.wait(), asyncio.shield(gone))]
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    is_crash = gone.done() and not ended.is_set()
    for wait in waits:
        wait.cancel()
    for process in processes:
        if process.stdin is not None:
            process.stdin.close()
    codes = await gone
    if is_crash:
        raise HeadgateError(f"all workers ended before the run did, with codes {codes}")

"""Works a started run off to its end, and prints its result."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import suppress
from typing import Any
from urllib.parse import quote

import typer
from psycopg import Connection
from psycopg.rows import DictRow

from headgate.cli.commands import console
from headgate.cli.commands.progress import Watch
from headgate.cli.commands.signals import Stop, stop_on_signal
from headgate.cli.commands.status import find_run
from headgate.cli.commands.summary import print_summary
from headgate.database import PLANNER, RUNNER, connect
from headgate.errors import HeadgateError
from headgate.migrate import require_protocol
from headgate.reports import facts_of
from headgate.secret_files import require_secret
from headgate.settings import Settings

SERVED = """
select substring(a.application_name from 14) as address
from pg_catalog.pg_stat_activity as a
where a.datname = pg_catalog.current_database() and a.application_name ~ %(ours)s
limit 1
"""
OURS = r"^headgate web http://(127\.0\.0\.1|localhost|\[::1\]):\d+/$"
"""Of this machine alone: any login may say that it serves pages elsewhere."""
SECRETS = "select * from headgate.required_secrets(p_pipeline => %(pipeline)s)"


def require_worker(connection: Connection[DictRow], settings: Settings, pipeline: str) -> None:
    """Raise an error unless a worker can do the work here: with the secrets, as a runner."""
    require_secrets(connection, pipeline)
    console.open_database(settings, "check", role=RUNNER, require=require_protocol).close()


def require_secrets(connection: Connection[DictRow], pipeline: str) -> None:
    """Raise SecretMissing unless the secrets of all the pipeline's providers are set here."""
    for row in connection.execute(SECRETS, {"pipeline": pipeline}):
        what = f"pipeline {pipeline} asks {row['needed_by']}, whose secret"
        require_secret(row["secret_name"], what, more="; it is kept nowhere else")


def carry(
    settings: Settings,
    pipeline: str,
    run_id: str,
    workers: int = 1,
    concurrency: int = 50,
    as_json: bool = False,
) -> None:
    """Work until the run has ended and print its result; exits 1 unless it has succeeded."""
    work_off(settings, pipeline, run_id, workers, concurrency)
    conclude(settings, pipeline, run_id, as_json)


def work_off(
    settings: Settings, pipeline: str, run_id: str, workers: int = 1, concurrency: int = 50
) -> None:
    """Work until the run has ended; exits if a signal comes first."""
    watch = Watch(settings, pipeline, run_id)
    try:
        interrupted = asyncio.run(_work_until_ended(settings, watch, workers, concurrency))
    except KeyboardInterrupt:  # before the worker listens for signals, or the second one
        interrupted = 128 + signal.SIGINT
    if interrupted:
        console.say(f"{run_id} is not done; `headgate run {pipeline}` goes on with it")
        raise typer.Exit(interrupted)


def conclude(settings: Settings, pipeline: str, run_id: str, as_json: bool) -> None:
    """Print a run's result and where its page is; exits 1 unless the run has succeeded."""
    row, facts = result_of(settings, pipeline, run_id)
    if as_json:
        console.print_json({**row, **facts})
    else:
        print_summary(settings, row, facts)
        print_page(settings, row)
    require_success(row)


def result_of(settings: Settings, pipeline: str, run_id: str) -> tuple[DictRow, dict[str, Any]]:
    """Return a run and the facts about it."""
    with console.open_database(settings, "run", role=PLANNER) as connection:
        row = find_run(connection, settings, pipeline, run_id)
        return row, facts_of(connection, row)


def require_success(run: DictRow) -> None:
    """Exit with 1 unless the run has succeeded."""
    if run["status"] != "succeeded":
        raise typer.Exit(1)


def print_page(settings: Settings, run: DictRow) -> None:
    """Print the address of the run's page if `headgate web` serves this database here."""
    with connect(settings, "run") as connection:
        row = connection.execute(SERVED, {"ours": OURS}).fetchone()
    if row is not None:
        path = "/".join(quote(run[x], safe="") for x in ("pipeline", "run_id"))
        print(f"in the browser: {row['address']}runs/{path}")


async def _work_until_ended(
    settings: Settings, watch: Watch, workers: int, concurrency: int
) -> int:
    """Work until the run has ended; return 0, or the exit code of a signal that came first."""
    from headgate.worker import name_prefix, work  # loads the HTTP client

    with stop_on_signal() as stop:
        ended = asyncio.Event()
        watching = asyncio.create_task(watch.until_ended(ended))
        try:
            if workers == 0:
                await _first_of(ended, stop)
            elif workers == 1:
                watch.ours = (name_prefix(os.getpid()),)
                await work(settings, concurrency=concurrency, until=ended, stop=stop)
            else:
                processes = await _start_workers(workers, concurrency)
                watch.ours = tuple(name_prefix(x.pid) for x in processes)
                await _wait_for_workers(processes, ended, stop)
        except BaseException:
            watching.cancel()
            raise
        if stop.is_set() and not ended.is_set():
            watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching
        return 0 if ended.is_set() else stop.exit_code


async def _start_workers(count: int, concurrency: int) -> list[asyncio.subprocess.Process]:
    """Start workers that shut down when this process closes their standard input or dies."""
    command = (sys.executable, "-m", "headgate", "worker", "--until-input-ends")
    return [
        await asyncio.create_subprocess_exec(
            *command,
            f"--concurrency={max(1, concurrency // count)}",
            stdin=asyncio.subprocess.PIPE,
            start_new_session=True,  # Ctrl-C reaches only this process, which then ends them
        )
        for _ in range(count)
    ]


async def _wait_for_workers(
    processes: list[asyncio.subprocess.Process], ended: asyncio.Event, stop: Stop
) -> None:
    """Wait for the end of the run or a signal, and then for the workers to end.

    Raises HeadgateError if all workers end before the run.
    """
    gone = asyncio.gather(*(x.wait() for x in processes))
    await _first_of(ended, stop, asyncio.shield(gone))
    is_crash = gone.done() and not ended.is_set()
    for process in processes:
        if process.stdin is not None:
            process.stdin.close()
    codes = await gone
    if is_crash:
        raise HeadgateError(
            f"all workers ended before the run did, with codes {codes}",
            hint="see their log; the same command continues the run",
        )


async def _first_of(ended: asyncio.Event, stop: Stop, *others: asyncio.Future[list[int]]) -> None:
    """Wait for the end of the run, a signal, or another of these; whichever comes first."""
    waits = [asyncio.ensure_future(x) for x in (ended.wait(), stop.wait(), *others)]
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()

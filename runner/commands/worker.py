"""`headgate worker`: work off what any pipeline has queued, until told to stop."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from runner.commands import console
from runner.commands.signals import stop_on_end_of_input, stop_on_signal
from runner.database import mapped_errors

INTERRUPTED = 130
"""By Ctrl-C; SIGTERM is how a worker is meant to be ended, and no failure."""

CHECK = "select headgate.check_queues(p_queues => %(queues)s::text[])"

Concurrency = Annotated[int, typer.Option(min=1, max=1000, help="Calls open at once.")]


def worker(
    concurrency: Concurrency = 50,
    queues: Annotated[
        list[str] | None,
        typer.Option(metavar="QUEUE", help="Only this queue, e.g. local_high; repeatable."),
    ] = None,
    processes: Annotated[
        int | None,
        typer.Option(min=1, max=256, help="Processes that handlers run in; else one a core."),
    ] = None,
    dask: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="Run handlers on a Dask cluster, tcp://host:8786."),
    ] = None,
    until_input_ends: Annotated[bool, typer.Option("--until-input-ends", hidden=True)] = False,
) -> None:
    """Carry out what is queued, of any pipeline; Ctrl-C or SIGTERM gives back what waits."""
    settings = console.ready_settings()
    with console.open_database(settings, "check") as connection, mapped_errors():
        connection.execute(CHECK, {"queues": queues})

    async def run() -> int:
        from runner.worker import work  # brings the HTTP client, which no other command needs

        with stop_on_signal() as stop:
            if until_input_ends:
                stop_on_end_of_input(stop)
            await work(
                settings,
                concurrency=concurrency,
                queues=queues,
                stop=stop,
                processes=processes,
                dask=dask,
            )
        return stop.exit_code

    if asyncio.run(run()) == INTERRUPTED:
        raise typer.Exit(INTERRUPTED)

"""`headgate worker`: works off the queues of all pipelines until stopped."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Annotated

import typer

from headgate.cli.commands import console
from headgate.cli.commands.signals import stop_on_end_of_input, stop_on_signal
from headgate.database import RUNNER, mapped_errors
from headgate.migrate import require_protocol
from headgate.settings import bytes_of

INTERRUPTED = 130
"""Exit code after Ctrl-C. SIGTERM and SIGHUP are the usual ends of a worker: no failure."""

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
    buffer: Annotated[
        str | None,
        typer.Option(
            metavar="SIZE", help="Answers held at once, in all; else HEADGATE_MAX_BUFFER, or 256MB."
        ),
    ] = None,
    until_input_ends: Annotated[bool, typer.Option("--until-input-ends", hidden=True)] = False,
) -> None:
    """Work off the queues of all pipelines; Ctrl-C, SIGTERM or SIGHUP gives back waiting work."""
    settings = console.ready_settings()
    if buffer is not None:
        settings = replace(settings, max_buffer=bytes_of(buffer))
    with (
        console.open_database(settings, "check", role=RUNNER, require=require_protocol) as opened,
        mapped_errors(),
    ):
        opened.execute(CHECK, {"queues": queues})

    async def run() -> int:
        from headgate.worker import (
            work,  # brings the HTTP client, which no other command needs
        )

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

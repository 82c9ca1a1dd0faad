"""`headgate web`: the pages in the browser."""

from __future__ import annotations

import asyncio
import os
from typing import Annotated

import typer

from headgate.cli.commands import console
from headgate.cli.commands.extras import needs_extra
from headgate.cli.commands.signals import stop_on_signal
from headgate.errors import HeadgateError

PORT = 8600
OPEN = "it asks for no password: put a proxy that does before it, or listen on 127.0.0.1"


def web(
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any that is free.")] = PORT,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    allow_host: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="A further name of this server, such as a proxy's; may be given several times.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Serve the pages in the browser, read-only and live, until Ctrl-C."""
    with needs_extra("web"):
        from headgate.web import is_private, serve
    settings = console.ready_settings()
    console.open_database(settings, "web").close()  # fails with a hint before anything is served

    async def run() -> None:
        with stop_on_signal("the pages are gone, the runs go on") as stop:
            async with serve(settings, host=host, port=port, allowed=allow_host or ()) as address:
                print(address, flush=True)
                if not is_private(host):
                    console.say(OPEN)
                await stop.wait()

    try:
        asyncio.run(run())
    except OSError as exc:
        raise HeadgateError(
            f"cannot listen on {host}, port {port}: {_reason(exc)}", hint="choose another: --port"
        ) from exc


def _reason(exc: OSError) -> str:
    """Return the error's usual words: asyncio wraps them in its own."""
    return os.strerror(exc.errno) if exc.errno and exc.errno > 0 else str(exc.strerror or exc)

"""Runs stand-ins in one event loop, in its own thread."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import AsyncExitStack, contextmanager
from typing import TypeAlias

from aiohttp import web

from headgate.demo.services.stand_in import StandIn

PATIENCE = 30.0
Bound: TypeAlias = tuple[StandIn, socket.socket]


@contextmanager
def running(services: Iterable[StandIn]) -> Iterator[dict[str, StandIn]]:
    """Run the stand-ins until the end of the block; late ones reject connections at first."""
    named = {x.name: x for x in services}
    bound = [(x, _bind(x)) for x in named.values()]
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()
    begun = threading.Event()
    thread = threading.Thread(
        target=loop.run_until_complete, args=(_serve(bound, begun, stop),), daemon=True
    )
    thread.start()
    try:
        if not begun.wait(PATIENCE):
            raise RuntimeError("the stand-ins do not start")
        yield named
    finally:
        if thread.is_alive():
            loop.call_soon_threadsafe(stop.set)
        thread.join(PATIENCE)
        loop.close()
        for _, port in bound:
            port.close()


async def _serve(bound: list[Bound], begun: threading.Event, stop: asyncio.Event) -> None:
    async with AsyncExitStack() as stack:
        late = []
        for service, port in bound:
            if service.start_seconds:
                late.append(asyncio.create_task(_open_late(stack, service, port)))
            else:
                await _open(stack, service, port)
        begun.set()
        await stop.wait()
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)


async def _open_late(stack: AsyncExitStack, service: StandIn, port: socket.socket) -> None:
    await asyncio.sleep(service.start_seconds)
    await _open(stack, service, port)


async def _open(stack: AsyncExitStack, service: StandIn, port: socket.socket) -> None:
    server = web.Server(service.handle, access_log=None)
    runner = web.ServerRunner(server, shutdown_timeout=0.1)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    await web.SockSite(runner, port).start()
    service.ready_at = time.monotonic()


def _bind(service: StandIn) -> socket.socket:
    """Bind the service's port, or any free one; it rejects connections until the server listens."""
    port = socket.socket()
    port.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    port.bind(("127.0.0.1", service.port))
    service.port = port.getsockname()[1]
    return port

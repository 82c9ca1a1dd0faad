"""Stand-ins at work: all of them in one event loop, in a thread of its own."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import AsyncExitStack, contextmanager

from aiohttp import web

from headgate.demo.services.stand_in import StandIn

PATIENCE = 30.0


@contextmanager
def running(services: Iterable[StandIn]) -> Iterator[dict[str, StandIn]]:
    """Run the stand-ins until the end of the block; those that start late refuse until then."""
    named = {x.name: x for x in services}
    for service in named.values():
        service.port = service.port or _free_port()
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()
    begun = threading.Event()
    thread = threading.Thread(
        target=loop.run_until_complete, args=(_serve(named.values(), begun, stop),), daemon=True
    )
    thread.start()
    try:
        if not begun.wait(PATIENCE):
            raise RuntimeError("the stand-ins do not start: is one of their ports in use?")
        yield named
    finally:
        if thread.is_alive():
            loop.call_soon_threadsafe(stop.set)
        thread.join(PATIENCE)
        loop.close()


async def _serve(services: Iterable[StandIn], begun: threading.Event, stop: asyncio.Event) -> None:
    async with AsyncExitStack() as stack:
        late = []
        for service in services:
            if service.start_seconds:
                late.append(asyncio.create_task(_open_late(stack, service)))
            else:
                await _open(stack, service)
        begun.set()
        await stop.wait()
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)


async def _open_late(stack: AsyncExitStack, service: StandIn) -> None:
    await asyncio.sleep(service.start_seconds)
    await _open(stack, service)


async def _open(stack: AsyncExitStack, service: StandIn) -> None:
    server = web.Server(service.handle, access_log=None)
    runner = web.ServerRunner(server, shutdown_timeout=0.1)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    await web.TCPSite(runner, "127.0.0.1", service.port, reuse_address=True).start()
    service.ready_at = time.monotonic()


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port

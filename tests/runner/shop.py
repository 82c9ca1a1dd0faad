"""Small HTTP service on 127.0.0.1 with configurable answers that records its requests."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import psutil
from aiohttp import web

from tests.limits import PATIENCE, until

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Shop:
    """The service; `url` is its base URL, `answer` the answer to paths without an entry in `special`."""

    url: str = ""
    answer: Handler = field(default_factory=lambda: json_of("{}"))
    special: dict[str, Handler] = field(default_factory=dict)
    asked: list[web.Request] = field(default_factory=list)
    connections: set[object] = field(default_factory=set)
    open: int = 0
    most_open: int = 0

    def paths(self) -> list[str]:
        """Return the requested paths, in order."""
        return [request.path for request in self.asked]

    def together(self, count: int, handler: Handler) -> Handler:
        """Answer once `count` calls have been open at the same time."""
        return when(lambda: self.most_open >= count, handler)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Record the request and answer it."""
        self.asked.append(request)
        self.connections.add(request.transport)
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        try:
            return await self.special.get(request.path, self.answer)(request)
        finally:
            self.open -= 1


@asynccontextmanager
async def open_shop(tls: ssl.SSLContext | None = None) -> AsyncIterator[Shop]:
    """Run a shop on a free port; with a context it speaks TLS."""
    shop = Shop()
    app = web.Application()
    app.router.add_route("*", r"/{tail:[\s\S]*}", shop.handle)
    runner = web.AppRunner(
        app,
        access_log=None,
        shutdown_timeout=0.1,
        handler_cancellation=True,
        keepalive_timeout=PATIENCE,
    )
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    port = runner.addresses[0][1]
    shop.url = f"{'https' if tls else 'http'}://127.0.0.1:{port}/api"
    try:
        yield shop
    finally:
        await runner.cleanup()
        # The runner does not know connections whose handshake has failed; the loop closes them once it sees that.
        await until(lambda: not _has_connections(port))


def _has_connections(port: int) -> bool:
    return any(x.laddr.port == port for x in psutil.Process().net_connections("tcp"))


def json_of(text: str, *, status: int = 200, **headers: str) -> Handler:
    """Answer with JSON."""
    return body_of(text.encode(), "application/json", status=status, **headers)


def text_of(text: str, *, status: int = 200, **headers: str) -> Handler:
    """Answer with plain text."""
    return body_of(text.encode(), "text/plain", status=status, **headers)


def body_of(body: bytes, content_type: str, *, status: int = 200, **headers: str) -> Handler:
    """Answer with bytes; header names are written with underscores."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}

    async def handler(_: web.Request) -> web.Response:
        return web.Response(
            body=body, status=status, headers={"Content-Type": content_type, **given}
        )

    return handler


def slow(seconds: float, handler: Handler | None = None) -> Handler:
    """Answer after some seconds."""

    async def wait(request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(seconds)
        return await (handler or json_of("{}"))(request)

    return wait


def when(condition: Callable[[], object], handler: Handler | None = None) -> Handler:
    """Answer as soon as a condition is true, without a time limit."""

    async def wait(request: web.Request) -> web.StreamResponse:
        while not condition():
            await asyncio.sleep(0.01)
        return await (handler or json_of("{}"))(request)

    return wait


def never() -> Handler:
    """Keep the caller waiting forever."""
    return when(lambda: False)


async def cut(request: web.Request) -> web.StreamResponse:
    """Break the connection instead of answering."""
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def cut_in_body(request: web.Request) -> web.StreamResponse:
    """Break the connection in the middle of the body."""
    response = web.StreamResponse(headers={"Content-Length": "1000"})
    await response.prepare(request)
    await response.write(b"[" * 10)
    assert request.transport is not None
    request.transport.abort()
    return response


async def drip(request: web.Request) -> web.StreamResponse:
    """Send a byte every 50 ms, forever."""
    response = web.StreamResponse()
    await response.prepare(request)
    while True:
        await response.write(b".")
        await asyncio.sleep(0.05)


async def flood(request: web.Request) -> web.StreamResponse:
    """Send forever, as fast as the client reads."""
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    while True:
        await response.write(b" " * 65_536)

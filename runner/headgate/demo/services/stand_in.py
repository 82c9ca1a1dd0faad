"""Stand-in for one service: its answers, its ledger of calls, and its faults."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from aiohttp import web

from headgate.demo.services.fault import Fault


@dataclass(frozen=True, slots=True)
class Ask:
    """A request as the service receives it."""

    method: str
    path: str
    query: Mapping[str, str]
    body: bytes
    headers: Mapping[str, str]

    def json(self) -> Any:
        """Return the body as JSON."""
        return json.loads(self.body or b"null")


class Refused(Exception):
    """Raised by a route to reject a request with a client error."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status


class Text(str):
    """An answer that is not JSON."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer with its own status, headers and bytes."""

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


Answer: TypeAlias = Callable[[Ask], Any]
"""Function that answers a request with a JSON-serializable value, Text or a Reply."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A call in the ledger; `status` is None if the connection was cut."""

    at: float
    ask: Ask
    status: int | None
    was_served: bool


@dataclass(slots=True)
class StandIn:
    """A service; only the routes differ between services."""

    name: str
    routes: Mapping[tuple[str, str], Answer]
    rest: Answer | None = None
    """Answers GET requests without a route."""
    port: int = 0
    """0: any free port."""
    start_seconds: float = 0.0
    """Seconds until the service accepts connections."""
    work_seconds: float = 0.0
    faults: list[Fault] = field(default_factory=list)
    calls: list[Asked] = field(default_factory=list)
    arrived: int = 0
    """Number of calls with a route, including those that wait for their answer."""
    ready_at: float | None = None
    peers: set[object] = field(default_factory=set)
    """Addresses of the connections that calls came on."""
    _open: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._open.set()

    @property
    def url(self) -> str:
        """Return the base URL."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def served(self) -> int:
        """Return the number of calls whose work was done."""
        return sum(x.was_served for x in self.calls)

    @property
    def connections(self) -> int:
        """Return the number of connections that calls came on."""
        return len(self.peers)

    def fail(self, kind: str, **how: Any) -> None:
        """Add a fault for the next answers; see `Fault`."""
        self.faults.append(Fault(kind, **how))

    def hold(self) -> None:
        """Let calls from now on wait until `release`."""
        self._open.clear()

    def release(self) -> None:
        """Serve the waiting calls, even if their clients have left."""
        self._open.set()

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request and record it in the ledger."""
        if request.transport is not None:
            self.peers.add(request.transport.get_extra_info("peername"))
        query = dict(request.query)
        ask = Ask(request.method, request.path, query, await request.read(), request.headers)
        route = self.routes.get((ask.method, ask.path))
        if route is None and ask.method == "GET":
            route = self.rest
        if route is None:
            return self._note(ask, _json({"detail": "Not Found"}, 404), is_served=False)
        self.arrived += 1
        while not self._open.is_set():
            await asyncio.sleep(0.01)
        fault = self._next_fault()
        if fault and fault.kind == "slow":
            await asyncio.sleep(fault.seconds)
        if fault and fault.kind == "cut":
            return self._cut(request, ask, is_served=False)
        if fault and fault.kind == "status":
            said = Text(fault.says) if fault.says else {"detail": f"{self.name} is out of order"}
            return self._note(ask, _answer(said, fault.status), is_served=False)
        if fault and fault.kind == "not_ok":
            lie: dict[str, Any] = {"ok": False, "error": f"{self.name} has lost its database"}
            return self._note(ask, _json(lie), is_served=False)
        await asyncio.sleep(self.work_seconds)
        try:
            answer = _answer(route(ask))
        except Refused as exc:
            return self._note(ask, _json({"detail": str(exc)}, exc.status), is_served=False)
        if fault and fault.kind == "cut_after":
            return self._cut(request, ask, is_served=True)
        if fault and fault.kind == "wrong_json":
            answer = web.Response(text='{"ok": tr', content_type="application/json")
        if fault and fault.kind == "text":
            answer = web.Response(text="<h1>Maintenance</h1>", content_type="text/html")
        return self._note(ask, answer, is_served=True)

    def _next_fault(self) -> Fault | None:
        while self.faults:
            fault = self.faults[0]
            if fault.times > 0:
                fault.times -= 1
                return fault
            self.faults.pop(0)
        return None

    def _note(self, ask: Ask, answer: web.Response, *, is_served: bool) -> web.Response:
        self.calls.append(Asked(time.monotonic(), ask, answer.status, is_served))
        return answer

    def _cut(self, request: web.BaseRequest, ask: Ask, *, is_served: bool) -> web.Response:
        self.calls.append(Asked(time.monotonic(), ask, None, is_served))
        if request.transport is not None:
            request.transport.abort()
        return web.Response()


def _answer(said: Any, status: int = 200) -> web.Response:
    if isinstance(said, Reply):
        return web.Response(body=said.body, status=said.status, headers=said.headers)
    return web.Response(text=said, status=status) if isinstance(said, Text) else _json(said, status)


def _json(said: Any, status: int = 200) -> web.Response:
    return web.Response(text=json.dumps(said), status=status, content_type="application/json")

"""A stand-in for one service: what it answers, what it was asked, and what goes wrong with it."""

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
    """A request as a service sees it."""

    method: str
    path: str
    query: Mapping[str, str]
    body: bytes
    headers: Mapping[str, str]

    def json(self) -> Any:
        """Return the body as JSON."""
        return json.loads(self.body or b"null")


class Refused(Exception):
    """What a route raises to refuse a request: an error of the client's."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status


class Text(str):
    """An answer that is not JSON."""


Answer: TypeAlias = Callable[[Ask], Any]
"""What a service answers to a request: anything that JSON can hold, or Text."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A call in the ledger; `status` is None where the connection was cut."""

    at: float
    ask: Ask
    status: int | None
    was_served: bool


@dataclass(slots=True)
class StandIn:
    """One service. Its routes are its own; the rest is the same for all."""

    name: str
    routes: Mapping[tuple[str, str], Answer]
    rest: Answer | None = None
    """Answers GET requests that no route is for."""
    port: int = 0
    """0: any that is free."""
    start_seconds: float = 0.0
    """Until then connections are refused."""
    work_seconds: float = 0.0
    faults: list[Fault] = field(default_factory=list)
    calls: list[Asked] = field(default_factory=list)
    arrived: int = 0
    """Calls, also those that wait for their answer."""
    ready_at: float | None = None
    _open: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._open.set()

    @property
    def url(self) -> str:
        """Return its base URL."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def served(self) -> int:
        """Return how many calls it has done its work for."""
        return sum(x.was_served for x in self.calls)

    def fail(self, kind: str, **how: Any) -> None:
        """Let the next answers go wrong."""
        self.faults.append(Fault(kind, **how))

    def hold(self) -> None:
        """Keep who asks from now on waiting, until the release."""
        self._open.clear()

    def release(self) -> None:
        """Serve those who wait, whether they are still there or not."""
        self._open.set()

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request and note it."""
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
    return web.Response(text=said, status=status) if isinstance(said, Text) else _json(said, status)


def _json(said: Any, status: int = 200) -> web.Response:
    return web.Response(text=json.dumps(said), status=status, content_type="application/json")

"""HTTP server of the stand-in: checks token, rate and quota, charges, answers or plays a fault."""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import Any

from aiohttp import web

from headgate.demo.eodhd import clock as clocks
from headgate.demo.eodhd import market
from headgate.demo.eodhd.answers import Answer, Api, Refused
from headgate.demo.eodhd.bars import FromFolder, Source, Synthetic
from headgate.demo.eodhd.clock import Clock
from headgate.demo.eodhd.faults import REJECTIONS, Faults, error_body, spoil
from headgate.demo.eodhd.ledger import Ledger, Rate
from headgate.demo.eodhd.options import Options
from headgate.demo.eodhd.replay import Replay

SAVE_EVERY_SECONDS = 0.5


class StandIn:
    """A running stand-in; a provider's base_url must be `api`."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.clock = Clock()
        self.ledger = Ledger(options.quota, options.ledger)
        self.rate = Rate(options.rate)
        self.faults = Faults(options.faults, options.seed)
        self.port = options.port
        self._answers = Api(_source(options), self.clock, extended=options.extended)
        if options.listings:
            market.add_listings(options.listings)
        market.calendars_by_group()  # loaded now, not in the first request

    @property
    def url(self) -> str:
        """Return the address of the server."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def api(self) -> str:
        """Return the base URL of the API."""
        return f"{self.url}/api"

    @property
    def token(self) -> str:
        """Return an accepted token."""
        return self.options.tokens[0]

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request."""
        _, root, *rest = request.rel_url.raw_path.split("/")
        if root == "api" and rest:
            response = await self._serve(request, rest[0], "/".join(rest[1:]))
            if response.prepared or request.transport is None or request.transport.is_closing():
                return response
            response.headers["X-RateLimit-Limit"] = str(self.rate.per_minute or 0)
            response.headers["X-RateLimit-Remaining"] = str(self.rate.remaining)
            self.ledger.answer(response.status)
            return response
        return await self._control(request, "/".join([root, *rest]))

    async def _serve(
        self, request: web.BaseRequest, endpoint: str, subject: str
    ) -> web.StreamResponse:
        self.ledger.receive()
        query = request.query
        token = query.get("api_token") or request.headers.get("Authorization", "").removeprefix(
            "Bearer "
        )
        if token not in self.options.tokens:
            return _rejection(403 if token else 401)
        if wait := self.rate.take():
            return _rejection(429, {"Retry-After": str(math.ceil(wait))})
        path = request.path
        wait, fault = self.faults.pick(path, path.rpartition("/")[2])
        if fault is not None:
            self.ledger.faults[fault["kind"]] += 1
            if fault["kind"] in REJECTIONS:
                return await _after(wait, _refuse_by_fault(fault))
            if fault["kind"] == "drop" and fault.get("where", "before") == "before":
                return _cut(request)
        try:
            answer = self._answer(endpoint, subject, query, token)
        except Refused as exc:
            return await _after(wait, _rejection(exc.status, text=exc.text))
        if not self.ledger.charge(
            token, self.clock.now().date(), endpoint, answer.code, answer.units
        ):
            return await _after(wait, _rejection(402))
        if wait:
            await asyncio.sleep(wait)
        if fault is not None and fault["kind"] == "hold":
            await self.faults.replaced.wait()
        elif fault is not None:
            return await self._spoilt(request, fault, answer)
        return web.Response(body=answer.body, content_type=answer.content_type)

    def _answer(self, endpoint: str, subject: str, query: Mapping[str, str], token: str) -> Answer:
        if endpoint in ("user", "internal-user"):
            return Answer(1, "", json.dumps(self._account(token)).encode())
        return self._answers.answer(endpoint, subject, query)

    def _account(self, token: str) -> dict[str, Any]:
        """Return the account page; until a day's first charge it shows an earlier day's counter."""
        units, day = self.ledger.counter(token, self.clock.now().date())
        return {
            "name": "Stand In",
            "email": "stand.in@example.com",
            "subscriptionType": "monthly",
            "paymentMethod": "PayPal",
            "apiRequests": units,
            "apiRequestsDate": day,
            "dailyRateLimit": self.ledger.quota if self.ledger.quota is not None else 10**9,
            "extraLimit": 0,
            "subscriptionMode": "paid",
            "availableDataFeeds": ["EOD Historical Data", "Fundamentals Data Feed"],
            "availableMarketplaceDataFeeds": [],
        }

    async def _spoilt(
        self, request: web.BaseRequest, fault: Mapping[str, Any], answer: Answer
    ) -> web.StreamResponse:
        """Send a served and charged answer with the fault applied."""
        if fault["kind"] == "drop" and fault["where"] == "unanswered":
            return _cut(request)
        if fault["kind"] == "no_content":
            return web.Response(status=204)
        content_type, body = spoil(fault, answer.body)
        if content_type == "application/json":
            content_type = answer.content_type
        if fault["kind"] not in ("drop", "drip"):
            return web.Response(body=body, headers={"Content-Type": content_type})
        headers = {"Content-Type": content_type, "Content-Length": str(len(body))}
        response = web.StreamResponse(headers=headers)
        await response.prepare(request)
        self.ledger.answer(response.status)
        if fault["kind"] == "drop":
            await response.write(body[: len(body) // 2])
            return _cut(request, response)
        pieces = fault.get("pieces", 20)
        size = max(1, math.ceil(len(body) / pieces))
        with contextlib.suppress(ConnectionError):
            for start in range(0, len(body), size):
                await asyncio.sleep(fault.get("seconds", 2.0) / pieces)
                await response.write(body[start : start + size])
        return response

    async def _control(self, request: web.BaseRequest, path: str) -> web.Response:
        """Serve the control paths by which a test reads the ledger and changes the stand-in."""
        try:
            given = json.loads(await request.read() or b"{}") if request.method == "POST" else {}
            match (request.method, path):
                case ("POST", "_book/reset"):
                    self.ledger.clear()
                    self.rate.clear()
                case ("POST", "_faults"):
                    self.faults.set(given)
                case ("POST", "_clock"):
                    at = datetime.fromisoformat(given["at"]) if given.get("at") else None
                    self.clock.set(at, frozen=given.get("frozen", False))
                case ("POST", "_limits"):
                    self.ledger.quota = given.get("quota", self.ledger.quota)
                    self.rate.per_minute = given.get("rate", self.rate.per_minute)
                case ("POST", "_spend"):
                    token, units = given.get("token", self.token), given["units"]
                    self.ledger.charge(token, self.clock.now().date(), "elsewhere", "", units)
                case ("GET", "_book"):
                    pass
                case _:
                    return web.json_response({"error": "not found"}, status=404)
        except (ValueError, TypeError, KeyError, AttributeError) as exc:
            return web.json_response({"error": f"{type(exc).__name__}: {exc}"}, status=400)
        return web.json_response(self.report())

    def report(self) -> dict[str, Any]:
        """Return the ledger, the current time and the limits."""
        now = self.clock.now()
        return {
            "clock": now.isoformat(),
            "day": now.date().isoformat(),
            "quota": self.ledger.quota,
            "rate": self.rate.per_minute,
        } | self.ledger.as_json()


def _source(options: Options) -> Source:
    """Return the source of bars that the options choose."""
    if options.replay:
        return Replay(options.replay)
    if options.bars:
        return FromFolder(options.bars)
    return Synthetic(any_ticker=options.any_ticker)


@contextlib.asynccontextmanager
async def serve(options: Options | None = None) -> AsyncIterator[StandIn]:
    """Run a stand-in in the current event loop until the end of the block."""
    options = options or Options()
    standin = StandIn(options)
    if options.dsn:
        await clocks.ask(standin.clock, options.dsn)
    runner = web.ServerRunner(web.Server(standin.handle, access_log=None), shutdown_timeout=0.1)
    await runner.setup()
    chores = [asyncio.create_task(_save_often(standin.ledger))]
    if options.dsn:
        chores.append(asyncio.create_task(clocks.follow(standin.clock, options.dsn)))
    try:
        site = web.TCPSite(runner, options.host, options.port)
        await site.start()
        standin.port = runner.addresses[0][1]
        yield standin
    finally:
        for chore in chores:
            chore.cancel()
        await asyncio.gather(*chores, return_exceptions=True)
        await runner.cleanup()
        standin.ledger.save()


async def _save_often(ledger: Ledger) -> None:
    while True:
        await asyncio.sleep(SAVE_EVERY_SECONDS)
        ledger.save()


async def _after(seconds: float, response: web.Response) -> web.Response:
    if seconds:
        await asyncio.sleep(seconds)
    return response


def _rejection(
    status: int, headers: Mapping[str, str] | None = None, text: str | None = None
) -> web.Response:
    content_type, body = error_body(status)
    if text is not None:
        content_type, body = "text/plain", text
    return web.Response(status=status, text=body, content_type=content_type, headers=headers)


def _refuse_by_fault(fault: Mapping[str, Any]) -> web.Response:
    if fault["kind"] == "redirect":
        headers = {"Location": fault.get("to", "http://other-host.invalid/api/")}
        return web.Response(status=fault.get("status", 302), headers=headers)
    headers = {"Retry-After": str(fault["retry_after"])} if "retry_after" in fault else {}
    return _rejection(fault.get("status", 500), headers, fault.get("text"))


def _cut(
    request: web.BaseRequest, response: web.StreamResponse | None = None
) -> web.StreamResponse:
    """Drop the connection; the returned response is never sent."""
    if request.transport is not None:
        request.transport.abort()
    return response or web.Response()

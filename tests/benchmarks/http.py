"""Benchmark 2, HTTP: 5,000 calls through the whole path against a bare loop over the same server.

Our side is `headgate worker`, a real process on a real database: plan, quota, queue, leases, calls, results,
details, state. The bare loop makes as many calls with the same client, httpx2 on aiohttp, and parses the
JSON; plain httpx2 makes fewer calls, because it collapses above about ten concurrent ones.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import httpx2
from httpx_aiohttp.httpx2 import AiohttpTransport

from headgate.database import connect
from headgate.settings import Settings
from tests.benchmarks import system
from tests.benchmarks.jobs import send, write_calls
from tests.benchmarks.measure import Figure, per_second, ratio, take_turns
from tests.benchmarks.provider import provider
from tests.plan import Plan

Transport: TypeAlias = Callable[[httpx2.Limits], httpx2.AsyncBaseTransport]

NAME: Final = "http_calls"
CHUNK: Final = 100
LEAST: Final = {10: 0.75}
"""Minimum ratio to the bare loop by concurrency; for others LEAST_ELSEWHERE."""
LEAST_ELSEWHERE: Final = 0.7
WISHED: Final = {10: 0.95}
"""A runner takes no more processor time for a call than the bare loop does (0.25 beside 0.27 ms). But PostgreSQL takes
0.1 ms, in pieces of some milliseconds, of the two processors on which runner and provider answer each other."""


@dataclass(slots=True)
class Sides:
    """Calls per second, turn by turn."""

    ours: list[float] = field(default_factory=list)
    bare: list[float] = field(default_factory=list)
    plain: list[float] = field(default_factory=list)


def run(
    server: Settings,
    *,
    jobs: int = 5_000,
    plain_calls: int = 250,
    concurrencies: Sequence[int] = (10, 50, 100),
    runs: int = 5,
) -> Iterator[Figure]:
    """Measure at each concurrency."""
    with (
        provider() as base_url,
        system.own_database(server, "http") as settings,
        connect(settings, "bench") as connection,
    ):
        plan = Plan(connection)
        write_calls(plan, NAME, base_url)
        system.add_assets(plan, NAME, jobs)
        for concurrency in concurrencies:
            sides = _measure(settings, plan, base_url, concurrency, jobs, plain_calls, runs)
            yield from _figures(concurrency, sides)


def _measure(
    settings: Settings,
    plan: Plan,
    base_url: str,
    concurrency: int,
    jobs: int,
    plain_calls: int,
    runs: int,
) -> Sides:
    sides = Sides()
    with system.listening(settings) as ends:

        def ours() -> None:
            with system.worker(settings, concurrency=concurrency):
                sides.ours.append(jobs / send(plan, ends, NAME, CHUNK, jobs))

        def bare() -> None:
            sides.bare.append(asyncio.run(_rate(_on_aiohttp, base_url, jobs, concurrency)))

        def plain() -> None:
            sides.plain.append(asyncio.run(_rate(_plain, base_url, plain_calls, concurrency)))

        take_turns(runs, ours, bare, plain)
    return sides


def _figures(concurrency: int, sides: Sides) -> Iterator[Figure]:
    what = f"{concurrency} at once"
    ours = per_second("ours", sides.ours)
    yield Figure(
        f"http: against httpx2 on aiohttp, {what}",
        ratio(sides.ours, sides.bare),
        at_least=LEAST.get(concurrency, LEAST_ELSEWHERE),
        wished=WISHED.get(concurrency),
        detail=f"{ours}, bare loop {per_second('', sides.bare).strip()}",
    )
    yield Figure(
        f"http: against plain httpx2, {what}",
        ratio(sides.ours, sides.plain),
        detail=f"{ours}, {per_second('plain httpx2', sides.plain)}",
    )


async def _rate(transport: Transport, base_url: str, calls: int, concurrency: int) -> float:
    """Make the calls with this concurrency; return calls per second."""
    urls = (f"{base_url}/eod/N{n}" for n in range(calls))

    async def call(client: httpx2.AsyncClient) -> None:
        for url in urls:
            response = await client.get(url)
            json.loads(response.content)

    async with _client(transport, concurrency) as client:
        started = time.perf_counter()
        await asyncio.gather(*(call(client) for _ in range(concurrency)))
        return calls / (time.perf_counter() - started)


@asynccontextmanager
async def _client(transport: Transport, concurrency: int) -> AsyncIterator[httpx2.AsyncClient]:
    limits = httpx2.Limits(max_connections=concurrency, max_keepalive_connections=concurrency)
    async with httpx2.AsyncClient(transport=transport(limits), trust_env=False) as client:
        yield client


def _on_aiohttp(limits: httpx2.Limits) -> httpx2.AsyncBaseTransport:
    return AiohttpTransport(limits=limits, trust_env=False)


def _plain(limits: httpx2.Limits) -> httpx2.AsyncBaseTransport:
    return httpx2.AsyncHTTPTransport(limits=limits, trust_env=False)

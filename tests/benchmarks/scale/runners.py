"""1 to 16 runners at one database: does the rate of calls follow them, up to the provider's limit or the machine's?

Each job is one call to a stand-in that answers after 200 ms, so a runner with 5 calls in flight makes 25 a second: the
arithmetic that each figure is compared with. A run counts from sending its chunks to its end, waiting for the last
call included. Then more calls in flight make the two cores the limit, and then the provider's rate is it.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from psycopg import Connection
from psycopg.rows import DictRow

from headgate.database import connect
from headgate.settings import Settings
from tests.benchmarks import system
from tests.benchmarks.jobs import QUOTA, send_due
from tests.benchmarks.measure import Figure, cpu_seconds
from tests.benchmarks.provider import arrivals_at, provider
from tests.benchmarks.scale import server as postgres
from tests.plan import Plan

NAME: Final = "scale_calls"
ANSWER_SECONDS: Final = 0.2
IN_FLIGHT: Final = 5
COUNTS: Final = (1, 2, 4, 8, 16)
MORE_IN_FLIGHT: Final = (20, 50)
"""Calls in flight of each of the most runners, to find where two cores are the limit."""
LEAST_SHARE: Final = 0.9
"""Of the arithmetic: less than 10 % may be lost to coordination."""
RATE: Final = 200
"""Calls a second that the provider allows where its limit is measured: 8 runners' worth."""


@dataclass(frozen=True, slots=True)
class Turn:
    """What one run of so many runners has shown."""

    rate: float
    """Calls a second."""
    runner_ms: float
    """Processor time of the runners for each call."""
    server_ms: float
    """Processor time of PostgreSQL for each call."""
    claims: list[float]
    """Milliseconds of each claim, be it alone or with a completion."""
    arrivals: list[float]
    """When each call came to the provider."""


def run(
    server: Settings,
    *,
    counts: Sequence[int] = COUNTS,
    more: Sequence[int] = MORE_IN_FLIGHT,
    seconds: float = 20.0,
    runs: int = 1,
) -> Iterator[Figure]:
    """Measure each number of runners, then more calls in flight, then the provider's limit."""
    with (
        provider(ANSWER_SECONDS) as base_url,
        system.own_database(server, "runners") as settings,
        connect(settings, "bench") as connection,
    ):
        bench = _Bench(settings, connection, base_url, seconds)
        for count in counts:
            for _ in range(runs):
                yield _of_runners(bench, count)
        for in_flight in more:
            yield _of_cores(bench, counts[-1], in_flight)
        for count in counts:
            yield _of_the_limit(bench, count)


class _Bench:
    """A pipeline of calls, whose jobs runners work off."""

    def __init__(
        self, settings: Settings, connection: Connection[DictRow], base_url: str, seconds: float
    ) -> None:
        self.settings = settings
        self.plan = Plan(connection)
        self.base_url = base_url
        self.seconds = seconds
        self._assets = 0
        allowed = {"quota": QUOTA, "base_url": base_url, "max_in_flight": 10_000}
        call = {"units": 1, "path": "/eod/{asset.code}"}
        system.write_plan(self.plan, NAME, provider=allowed, operation=call)

    def allow(self, per_second: int | None) -> None:
        """Let the provider allow so many calls a second, without bursts; None: any."""
        changes = {"requests_per_minute": per_second and 60 * per_second, "burst": per_second and 1}
        self.plan.call("set_provider", p_provider=NAME, p_changes=changes)

    def turn(self, runners: int, in_flight: int, rate: float) -> Turn:
        """Let so many runners work off the jobs of `seconds` at a rate."""
        chunk = 2 * in_flight
        jobs = max(1, round(rate * self.seconds / chunk)) * chunk
        self._make_due(jobs, chunk)
        with (
            postgres.logged(self.settings) as times,
            system.workers(self.settings, runners, concurrency=in_flight) as processes,
            system.listening(self.settings) as ends,
        ):
            arrivals_at(self.base_url)
            pids = [x.pid for x in processes]
            before = cpu_seconds(pids), postgres.cpu_seconds(self.settings)
            took = send_due(self.plan, ends, NAME, jobs)
            after = cpu_seconds(pids), postgres.cpu_seconds(self.settings)
            arrivals = arrivals_at(self.base_url)
        runner_ms, server_ms = (1000 * (y - x) / jobs for x, y in zip(before, after, strict=True))
        claims = times.get("claim_jobs", []) + times.get("complete_jobs", [])
        return Turn(jobs / took, runner_ms, server_ms, claims, arrivals)

    def _make_due(self, jobs: int, chunk: int) -> None:
        """Make so many jobs due, and no others."""
        self._have(jobs)
        system.make_due(self.plan, NAME, chunk)
        self.plan.sql(
            "update headgate.asset_processing_state as s set next_due_at = null where s.asset_id in ("
            "select a.asset_id from headgate.assets as a where a.universe = %(name)s"
            " order by a.asset_id offset %(jobs)s)",
            name=NAME,
            jobs=jobs,
        )

    def _have(self, assets: int) -> None:
        if assets > self._assets:
            system.add_assets(self.plan, NAME, assets)
            self._assets = assets


def _of_runners(bench: _Bench, runners: int) -> Figure:
    arithmetic = runners * IN_FLIGHT / ANSWER_SECONDS
    turn = bench.turn(runners, IN_FLIGHT, arithmetic)
    return Figure(
        f"scale: calls of {runners} runners, {IN_FLIGHT} in flight each, against the arithmetic",
        turn.rate / arithmetic,
        at_least=LEAST_SHARE,
        detail=_shown(turn, arithmetic),
    )


def _of_cores(bench: _Bench, runners: int, in_flight: int) -> Figure:
    arithmetic = runners * in_flight / ANSWER_SECONDS
    turn = bench.turn(runners, in_flight, arithmetic)
    return Figure(
        f"scale: calls of {runners} runners, {in_flight} in flight each, until the cores are busy",
        turn.rate / arithmetic,
        detail=_shown(turn, arithmetic),
    )


def _of_the_limit(bench: _Bench, runners: int) -> Figure:
    """Compare the calls with the provider's limit, or with what the runners can do if that is less."""
    possible = min(RATE, runners * IN_FLIGHT / ANSWER_SECONDS)
    bench.allow(RATE)
    try:
        turn = bench.turn(runners, IN_FLIGHT, possible)
    finally:
        bench.allow(None)
    most = _most_in_a_second(turn.arrivals)
    return Figure(
        f"scale: calls of {runners} runners where the provider allows {RATE} a second",
        turn.rate / possible,
        detail=f"{_shown(turn, possible)}; at most {most} in one second",
    )


def _shown(turn: Turn, arithmetic: float) -> str:
    p50, p99 = _median_and_p99(turn.claims)
    return (
        f"{turn.rate:,.0f}/s of {arithmetic:,.0f}/s, claims {p50:.1f} ms, p99 {p99:.1f} ms,"
        f" processor {turn.runner_ms:.2f} ms a call in runners, {turn.server_ms:.2f} ms in PostgreSQL"
    )


def _median_and_p99(times: list[float]) -> tuple[float, float]:
    assert times, "no claim is in the server's log"
    return statistics.median(times), statistics.quantiles([*times, *times], n=100)[-1]


def _most_in_a_second(arrivals: list[float]) -> int:
    """Return the most calls that came within any second."""
    most, first = 0, 0
    for nth, at in enumerate(arrivals):
        while at - arrivals[first] >= 1:
            first += 1
        most = max(most, nth - first + 1)
    return most

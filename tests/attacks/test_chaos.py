"""Runners, server, connection and disk are hit at random moments; the ledger holds after each blow."""

from __future__ import annotations

import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest

from headgate.demo.eodhd import Process
from headgate.errors import HeadgateError
from headgate.settings import Settings
from tests.acceptance.system import System, killed_at_the_end
from tests.attacks.blows import Ground, Line, ground
from tests.attacks.form import T, dice, either, tell
from tests.attacks.machines import Seed
from tests.attacks.things import furnish
from tests.db.ledger import assert_ledger_balances
from tests.limits import PATIENCE, wait_until
from tests.plan import Plan, Row

LEASE_SECONDS = 2.0
RUNNERS = 3
BLOWS = either(8, 200)
JOBS = either(400, 5_000)
FAULTS: list[dict[str, Any]] = [
    {"match": {"probability": 0.03}, "fault": {"kind": "status", "status": 500}},
    {"match": {"probability": 0.02}, "fault": {"kind": "drop", "where": "before"}},
    {"match": {"probability": 0.02}, "fault": {"kind": "drop", "where": "unanswered"}},
    {"match": {"probability": 0.02}, "fault": {"kind": "drop", "where": "body"}},
    {"match": {"probability": 0.02}, "fault": "truncated"},
    {"match": {"every": 700}, "fault": {"kind": "status", "status": 429, "retry_after": 1}},
    {"match": {}, "fault": {"kind": "latency", "ms": 40}},
]
EFFECTS = """
select
    (select coalesce(sum(a.times), 0) from toy.answers as a)::integer as effects,
    (select count(*) from headgate.asset_processing_details as d where d.status = 'success')::integer as successes,
    (select count(*) from headgate.asset_processing_details)::integer as ended
"""
BACKENDS = """
select a.pid from pg_stat_activity as a
where a.datname = current_database() and a.application_name like 'headgate worker%%'
order by a.pid
"""
TERMINATE = "select pg_terminate_backend(pid) from unnest(%(pids)s::integer[]) as pid"
LEFT = "select count(*)::integer from headgate.chunks"
OPEN = "select count(*)::integer from headgate.process_executions where finished_at is null"
LEDGER = """
select coalesce(sum(w.spent), 0)::integer as charged, coalesce(max(w.usable), 0) as usable, coalesce(bool_and(w.spent <= w.usable), true) as fits
from headgate.quota_windows as w join headgate.providers as p using (provider_id) where p.name = 'shop'
"""


@dataclass
class Battle:
    """A system under attack: three runners, one of them behind a proxy, and one run after the other."""

    system: System
    ground: Ground
    line: Line
    dice: random.Random
    runners: list[subprocess.Popen[str]] = field(default_factory=list)
    later: list[tuple[float, Callable[[], None]]] = field(default_factory=list)
    ways: list[str] = field(default_factory=list)
    blows: Counter[str] = field(default_factory=Counter)
    runs: int = 0

    # ------------------------------------------------------------------- the work

    def begin(self) -> None:
        """Start the runners and the first run."""
        self.runners = [self.recruit(n) for n in range(RUNNERS)]
        self.go_on()

    def recruit(self, number: int) -> subprocess.Popen[str]:
        """Start a runner; the first one's connections go through the proxy."""
        dsn = f"postgresql://postgres@127.0.0.1:{self.line.port}/{self.system.settings.database}"
        return self.system.worker(concurrency=10, **({} if number else {"HEADGATE_DSN": dsn}))

    def go_on(self) -> None:
        """Start the next run if there is none, and a replacement for each runner that found no server."""
        for number, runner in enumerate(self.runners):
            if runner.poll() is not None:
                said = self.system.said(runner)
                assert "hint: " in said and "Traceback" not in said, said
                self.runners[number] = self.recruit(number)
        if self.patiently(lambda plan: plan.scalar(OPEN)) == 0:
            self.runs += 1
            run = {"p_pipeline": "plain", "p_run_id": f"r{self.runs}"}
            self.patiently(lambda plan: plan.call("run_pipeline", **run))

    def patiently(self, what: Callable[[Plan], T]) -> T:
        """Query the server; if it is gone, wait for it, and start it if need be."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                return what(self.system.plan)
            except (psycopg.OperationalError, HeadgateError) as exc:
                code = getattr(exc, "sqlstate", None) or ""
                if code.startswith("HG") or time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
                self.ground.start()

    # ------------------------------------------------------------------- the blows

    def strike(self) -> None:
        """Hit something: each way in turn, in random order."""
        if not self.ways:
            names = ["kill", "kill", "stop", "stop", "terminate", "terminate", "restart", "hold"]
            self.ways = names + ["fill"] * self.ground.has_disk
            self.dice.shuffle(self.ways)
        name = self.ways.pop()
        self.blows[name] += 1
        getattr(self, name)()

    def kill(self) -> None:
        """Kill a runner, and start another one."""
        number = self.dice.randrange(RUNNERS)
        self.runners[number].kill()
        self.runners[number].wait()
        self.runners[number] = self.recruit(number)

    def stop(self) -> None:
        """Suspend a runner until its leases are lost."""
        process = self.dice.choice(self.runners)
        process.send_signal(signal.SIGSTOP)
        self.in_time(lambda: process.send_signal(signal.SIGCONT))

    def terminate(self) -> None:
        """End some of the runners' sessions."""
        pids = [x["pid"] for x in self.patiently(lambda plan: plan.sql(BACKENDS))]
        chosen = self.dice.sample(pids, min(len(pids), self.dice.randint(1, 4)))
        self.patiently(lambda plan: plan.sql(TERMINATE, pids=chosen))

    def restart(self) -> None:
        """Stop the server at once, and start it."""
        self.ground.stop_at_once()
        self.ground.start()

    def hold(self) -> None:
        """Hold the proxy until the leases behind it are lost, then cut it."""
        self.line.hold()
        self.in_time(self.line.cut)

    def fill(self) -> None:
        """Fill the server's disk for a moment."""
        self.ground.fill()
        time.sleep(self.dice.uniform(0.3, 1.0))
        self.ground.empty()

    def in_time(self, what: Callable[[], None]) -> None:
        """Do something once all current leases have expired."""
        self.later.append((time.monotonic() + LEASE_SECONDS + 0.7, what))

    def wait(self, seconds: float) -> None:
        """Let the runners work, and do the pending actions meanwhile."""
        until = time.monotonic() + seconds
        while (now := time.monotonic()) < until:
            for due in [x for x in self.later if x[0] <= now]:
                self.later.remove(due)
                due[1]()
            time.sleep(0.02)

    # -------------------------------------------------------------------- proving

    def check(self) -> Row:
        """Check that both ledgers agree, that nothing was done twice, and that nothing is lost."""
        served = self.system.standin.ledger()["served_units"]
        return self.patiently(lambda plan: self.checked(plan, served))

    def checked(self, plan: Plan, served: int) -> Row:
        """Check on one connection: everything served so far must have been charged."""
        (ledger,) = plan.sql(LEDGER)
        assert served <= ledger["charged"] and ledger["fits"], (served, ledger)
        assert_ledger_balances(plan)
        (row,) = plan.sql(EFFECTS)
        assert row["effects"] == row["successes"], f"a job's effect is there twice or not: {row}"
        return {**row, **ledger, "served": served}

    def end(self) -> Row:
        """Wait until all work is done: nothing is stuck."""
        self.wait(LEASE_SECONDS + 1)
        self.go_on()

        def is_over() -> bool:
            return not self.patiently(lambda plan: plan.scalar(OPEN))

        wait_until(is_over, "the end of the last run")
        assert self.patiently(lambda plan: plan.scalar(LEFT)) == 0
        for runner in self.runners:
            assert runner.poll() is None, self.system.said(runner)
        return self.check()


@pytest.fixture
def battle(seeded: Seed, standin: Process, tmp_path: Path) -> Iterator[Battle]:
    with battlefield(seeded, standin, tmp_path) as (system, there), Line(socket_of(there)) as line:
        yield Battle(system, there, line, dice("chaos"))


@contextmanager
def battlefield(seeded: Seed, standin: Process, logs: Path) -> Iterator[tuple[System, Ground]]:
    """Put the toy world on a server of its own, with the stand-in's listings as its assets."""
    with ground(seeded.data) as there:
        settings = Settings(dsn=None, database="headgate", home=there.home, db=seeded.db)
        with killed_at_the_end(System(settings, standin, logs)) as system:
            furnish(system, JOBS)
            yield system, there


def socket_of(there: Ground) -> str:
    """Return the path of a server's socket."""
    running = there.server.running()
    assert running is not None
    return f"{running.socket_dir}/.s.PGSQL.{running.port}"


def test_blows_at_random_moments_lose_nothing_and_do_nothing_twice(battle: Battle):
    battle.system.standin.set_faults(FAULTS)
    started = time.monotonic()
    battle.begin()
    for _ in range(BLOWS):
        battle.wait(battle.dice.uniform(0.2, 1.4))
        battle.strike()
        battle.go_on()
        battle.check()
    done = battle.end()

    assert done["successes"] > BLOWS
    blows = ", ".join(f"{n} {name}" for name, n in sorted(battle.blows.items()))
    tell(
        f"chaos: {BLOWS} blows ({blows}) in {time.monotonic() - started:.0f} s, {battle.runs} runs,"
        f" {done['ended']:,} jobs ended, {done['successes']:,} successes = effects;"
        f" served {done['served']:,} <= charged {done['charged']:,} <= usable"
    )
    if not battle.ground.has_disk:
        tell("chaos: no blow at the disk: nothing may be mounted here")

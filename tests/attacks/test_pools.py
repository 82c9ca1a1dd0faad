"""Runners claim, complete and die at random: a pool never has more leases than slots, and loses none."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg
import pytest

from tests.attacks.form import dice, either, tell
from tests.db.conftest import Toys
from tests.db.toy import Toy
from tests.limits import wait_until
from tests.plan import Row

RUNNERS = 6
KILLS = either(25, 200)
JOBS = either(150, 1_200)
SLOTS, FEWER = 5, 2
WAYS = ("complete",) * 12 + ("retry", "release", "lose", "forget", "idle", "extend")
"""Actions of a runner with a lease. A lease that it forgets, or is too slow for, expires at once; a killed runner's
lease expires after a second."""
LEASE: Row = {"lease": "1 second", "backoff": "10 ms", "backoff_max": "50 ms", "chunk_size": 1}
IDLE: Row = {"path": None, "ingest_function": None, "units": 0, "pool": "tills", **LEASE}
TERMINATE = """
select pg_terminate_backend(a.pid) from pg_stat_activity as a
where a.pid = %(pid)s and a.datname = current_database()
"""
OPEN = "select count(*) from headgate.chunks"


@dataclass
class Shift:
    """Runners at work, each with a connection that may be cut at any moment."""

    toys: Toys
    dice: random.Random
    pids: dict[int, int] = field(default_factory=dict)
    did: Counter[str] = field(default_factory=Counter)
    errors: list[BaseException] = field(default_factory=list)
    seen: Counter[int] = field(default_factory=Counter)
    is_over: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def begun(self) -> Iterator[None]:
        """Let runners work, watched by a witness, until the shift is over."""
        threads = [threading.Thread(target=self.guard, args=(self.watch,), daemon=True)]
        for number in range(RUNNERS):
            throws = random.Random(self.dice.random())
            threads.append(
                threading.Thread(target=self.guard, args=(self.serve, number, throws), daemon=True)
            )
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self.is_over.set()
            for thread in threads:
                thread.join(30)
        assert self.errors == []

    def guard(self, what: Any, *arguments: Any) -> None:
        """Record errors in a thread."""
        try:
            what(*arguments)
        except BaseException as exc:
            self.errors.append(exc)

    # ---------------------------------------------------------------- the witness

    def watch(self) -> None:
        """Check all the time that no limit is exceeded; after a pool has shrunk, that its leases do not grow."""
        toy = self.another()
        before, slots = 0, SLOTS
        while not self.is_over.is_set():
            (row,) = toy.sql("select slots, used from headgate.v_pools where pool = 'tills'")
            # Until the change, this many slots could have been taken since the previous look.
            most = max(row["slots"], before if row["slots"] == slots else slots)
            assert row["used"] <= most, f"{row}, and {before} of {slots} before"
            before, slots = row["used"], row["slots"]
            self.seen[before] += 1

    # ---------------------------------------------------------------- the runners

    def serve(self, number: int, throws: random.Random) -> None:
        """Work, under a new name whenever the connection was cut."""
        life = 0
        while not self.is_over.is_set():
            life += 1
            toy = self.another()
            self.pids[number] = toy.connection.info.backend_pid
            try:
                # As a worker does: by it a lease is ended whose claim was never answered.
                self.beat(toy, f"w{number}.{life}")
                while not self.is_over.is_set():
                    self.turn(toy, f"w{number}.{life}", throws)
            except psycopg.OperationalError as exc:
                if exc.sqlstate not in (None, "57P01") and not toy.connection.broken:
                    raise
                self.did["killed"] += 1

    def beat(self, toy: Toy, runner: str) -> None:
        """Send a heartbeat."""
        toy.row("heartbeat", p_runner=runner, p_host="h", p_pid=1, p_version="1")

    def another(self) -> Toy:
        """Open a connection with a running clock."""
        toy = self.toys.another()
        toy.offset_clock("0")
        return toy

    def turn(self, toy: Toy, runner: str, throws: random.Random) -> None:
        """Claim work, and do something with it."""
        if throws.random() < 0.1:
            self.beat(toy, runner)
        toy.call("advance_executions")
        claimed = [x for x in toy.ask(runner, throws.randint(1, 4)) if x["chunk_id"] is not None]
        for chunk in claimed:
            way = throws.choice(WAYS)
            self.did[way] += 1
            try:
                self.act(toy, runner, chunk, way)
            except psycopg.OperationalError as exc:
                if exc.sqlstate != "HG012":  # another runner has it by now
                    raise
        if not claimed:
            self.is_over.wait(0.02)

    def act(self, toy: Toy, runner: str, chunk: Row, way: str) -> None:
        """Perform one of the actions of runners on a lease."""
        tokens = {
            "p_runner": runner,
            "p_chunk_ids": [chunk["chunk_id"]],
            "p_lease_nos": [chunk["lease_no"]],
        }
        if way == "release":
            toy.call("release_jobs", **tokens)
        elif way == "lose":
            toy.call(
                "lose_lease", p_runner=runner, p_chunk_id=chunk["chunk_id"],
                p_lease_no=chunk["lease_no"], p_reason="it crashed",
            )  # fmt: skip
        elif way == "retry":
            toy.complete(chunk, "retry", fault="provider", runner=runner)
        else:
            if way in ("forget", "idle"):
                toy.expire(chunk)  # from now on it may be another runner's
            if way == "forget":
                return
            if way in ("idle", "extend"):
                toy.call("extend_leases", **tokens)
            toy.complete(chunk, runner=runner, p_claim=1)

    # ------------------------------------------------------------------- the blows

    def kill(self, toy: Toy) -> None:
        """Cut a runner's connection, whatever it is doing."""
        number, before = self.dice.choice(sorted(self.pids)), self.did["killed"]
        if toy.sql(TERMINATE, pid=self.pids[number]):
            wait_until(lambda: self.errors or self.did["killed"] > before, "the runner has noticed")


@pytest.fixture
def tills(toys: Toys) -> Toy:
    """Let two operations of two providers and pipelines share a pool; one takes two slots."""
    toy = toys.one
    toy.offset_clock("0")
    toy.sql("insert into headgate.pools (name, slots) values ('tills', %(slots)s)", slots=SLOTS)
    toy.tune("look", **IDLE)
    toy.tune("peek", **IDLE, pool_slots=2)
    toy.sql("update headgate.operations set max_attempts = 100, max_wait = '1 hour'")
    toy.add(JOBS * 2 // 3)
    toy.add(JOBS // 3, universe="others")
    return toy


def test_a_pool_is_never_over_and_nothing_starves(toys: Toys, tills: Toy):
    shift = Shift(toys, dice("pools"))
    tills.begin()
    tills.begin("all", pipeline="aside")
    with shift.begun():
        wait_until(lambda: len(shift.pids) == RUNNERS, "all runners are there")
        for blow in range(KILLS):
            shift.kill(tills)
            if blow == KILLS // 2:
                tills.call("set_pool", p_pool="tills", p_slots=FEWER)
            elif blow == KILLS * 3 // 4:
                tills.call("set_pool", p_pool="tills", p_slots=SLOTS)
        wait_until(lambda: shift.errors or tills.scalar(OPEN) == 0, "all jobs have ended")

    ended = tills.endings()
    assert sum(ended.values()) >= JOBS and set(ended) <= {"success", "deferred"}
    assert ended["success"] > JOBS * 0.8
    (row,) = tills.sql("select * from headgate.v_pools where pool = 'tills'")
    assert (row["used"], row["waiting"]) == (0, 0), "no slot is lost"
    assert max(shift.seen) == SLOTS, "all of its slots were taken"
    tell(
        f"pool: {shift.did['killed']} runners killed, {dict(shift.did)}, {shift.seen.total()} looks"
    )

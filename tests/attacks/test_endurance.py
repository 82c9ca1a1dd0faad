"""Many pipelines at once, long-lived readers, and a long day: every run succeeds, and nothing grows."""

from __future__ import annotations

import random
import shutil
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psutil
import pytest

from headgate.database import connect
from headgate.settings import Settings
from tests.attacks.form import IS_LONG, dice, either, tell
from tests.benchmarks import system
from tests.benchmarks.jobs import send, send_due, write_calls
from tests.benchmarks.provider import provider
from tests.benchmarks.web import BROWSERS, readers, served
from tests.limits import PATIENCE, wait_until
from tests.plan import Plan, Row

SOURCE = {1: 100, 2: 100, 5: 99, 10: 97, 20: 94}
"""Concurrent pipelines, and the share of successful runs in the source system."""
LEVELS = either((1, 5), tuple(SOURCE))
PIPELINE_JOBS = either(60, 400)
WATCHED_JOBS = either(2_000, 20_000)
READ_SECONDS = 60
READ_JOBS = 20_000
READ_DRAINS = 12
QUIET_DRAINS = 5
LEAST_SHARE = 0.5
GOAL_SHARE = 0.7
SOAK_RUNS = 10
SOAK_JOBS = 20_000
MAX_GROWTH_MB = 6.0
"""Maximum growth of runner and sessions over 200,000 jobs, in MB."""
MEGABYTE = 1024 * 1024
ENDS = """
select e.status, e.planned, e.succeeded, date_part('epoch', e.finished_at - e.started_at) as seconds
from headgate.process_executions as e join headgate.pipelines as p using (pipeline_id)
where p.name = any (%(names)s) and e.run_id = any (%(runs)s)
"""
OPEN = "select count(*) from headgate.process_executions as e where e.finished_at is null"
SESSIONS = """
select a.pid from pg_stat_activity as a
where a.datname = current_database() and a.application_name like 'headgate worker%%'
"""
TABLES = """
select sum(pg_total_relation_size(c.oid))::bigint from pg_class as c
where c.oid = 'headgate.chunks'::regclass or c.relnamespace = 'pgmq'::regnamespace and c.relname like 'q\\_%%' and c.relkind = 'r'
"""
LOOKS = (
    "select * from headgate.v_queue_depth", "select * from headgate.v_recent_executions", "select * from headgate.v_quota",
    "select count(*) from headgate.asset_processing_state", "select * from headgate.v_execution_steps",
)  # fmt: skip
REPORT = """
select d.status, count(*), sum(d.units), max(length(pg_sleep(0.005)::text))
from (select * from headgate.asset_processing_details limit %(rows)s) as d
group by d.status
"""


@dataclass(frozen=True)
class Arena:
    """A server as the product configures it, and a database on it."""

    settings: Settings
    plan: Plan

    def resident(self, worker: psutil.Process) -> tuple[float, float]:
        """Return the private memory of a runner and its sessions, in MB."""
        sessions = [psutil.Process(x["pid"]) for x in self.plan.sql(SESSIONS)]
        own = sum(x.memory_info().rss - x.memory_info().shared for x in sessions)
        return worker.memory_info().rss / MEGABYTE, own / MEGABYTE


@pytest.fixture(scope="module")
def arena() -> Iterator[Arena]:
    with system.own_server() as server:
        shutil.rmtree(server.db / "plans")  # the tests write their own
        with (
            system.own_database(server, "attacks") as settings,
            connect(settings, "test") as connection,
        ):
            plan = Plan(connection)
            plan.sql("update headgate.settings set value = 'true' where name = 'test_clock'")
            yield Arena(settings, plan)


def test_pipelines_at_once_all_succeed(arena: Arena):
    plan, names = arena.plan, [f"load_{n:02}" for n in range(max(LEVELS))]
    throws = dice("load")
    with provider() as base_url:
        for name in names:
            write_calls(plan, name, base_url)
            system.add_assets(plan, name, PIPELINE_JOBS)
        with system.worker(arena.settings) as process:
            for level in LEVELS:
                at_once(arena, names[:level], psutil.Process(process.pid), throws)


def at_once(arena: Arena, names: list[str], worker: psutil.Process, throws: random.Random) -> None:
    """Run some pipelines at the same time, and query their status meanwhile."""
    plan, answers = arena.plan, list[float]()
    for name in names:
        system.make_due(plan, name, 50)
    runs = [str(plan.value("run_pipeline", p_pipeline=name)) for name in names]
    deadline = time.monotonic() + PATIENCE
    while plan.scalar(OPEN):
        asked = throws.randrange(len(names))
        started = time.perf_counter()
        plan.call("execution_status", p_pipeline=names[asked], p_run_id=runs[asked])
        answers.append(1000 * (time.perf_counter() - started))
        assert time.monotonic() < deadline, f"{len(names)} pipelines at once do not end"
        time.sleep(0.02)
    ends = plan.sql(ENDS, names=names, runs=runs)
    succeeded = sum(x["status"] == "succeeded" for x in ends)
    assert (len(ends), succeeded) == (len(names), len(names)), ends
    assert {(x["planned"], x["succeeded"]) for x in ends} == {(PIPELINE_JOBS, PIPELINE_JOBS)}
    tell(line_of(len(names), ends, answers, arena.resident(worker)))


def line_of(level: int, ends: list[Row], answers: list[float], memory: tuple[float, float]) -> str:
    """Describe the result of a level, beside the source system's."""
    seconds = [x["seconds"] for x in ends]
    return (
        f"load: {level:2} at once, {PIPELINE_JOBS} jobs each: 100 % succeeded (source system {SOURCE[level]} %);"
        f" a run takes {statistics.median(seconds):.1f} s, at most {max(seconds):.1f}; a status call"
        f" {statistics.median(answers):.0f} ms, at most {max(answers):.0f}; runner {memory[0]:.0f} MB,"
        f" its sessions {memory[1]:.0f} MB"
    )


def test_a_drain_that_everybody_watches_ends(arena: Arena):
    plan, name = arena.plan, "watched"
    system.write_plan(plan, name, operation={"chunk_size": 50})
    system.add_assets(plan, name, WATCHED_JOBS)
    with (
        system.listening(arena.settings) as ends,
        system.worker(arena.settings),
        served(arena.settings) as (address, _),
        readers(arena.settings, address) as counts,
    ):
        before = counts.copy()
        send(plan, ends, name, 50, WATCHED_JOBS)
        wait_until(lambda: counts["page"] >= before["page"] + BROWSERS, "browsers that go on")


@pytest.mark.skipif(not IS_LONG, reason="a minute of readers: only in the long form")
def test_readers_that_stay_do_not_halve_the_rate(arena: Arena):
    plan = arena.plan
    names = [f"read_{n:02}" for n in range(QUIET_DRAINS + READ_DRAINS)]
    for name in names:  # each drain has its own assets: nothing is requested twice in a minute
        system.write_plan(plan, name, operation={"chunk_size": 200})
        system.add_assets(plan, name, READ_JOBS)
    with system.listening(arena.settings) as ends, system.worker(arena.settings):

        def drain() -> float:
            return READ_JOBS / send_due(plan, ends, names.pop(), READ_JOBS)

        quiet = [drain() for _ in range(QUIET_DRAINS)]
        busy = list[float]()
        with sessions_that_stay(arena.settings):
            started = time.monotonic()
            while names:
                busy.append(drain())
                next_one = started + len(busy) * READ_SECONDS / READ_DRAINS
                time.sleep(max(0, next_one - time.monotonic()))
    share = statistics.median(busy) / statistics.median(quiet)
    tell(
        f"readers: {statistics.median(quiet):,.0f} jobs/s in quiet, {statistics.median(busy):,.0f} with four REPEATABLE"
        f" READ readers and a report of {READ_SECONDS} s ({len(busy)} drains of {READ_JOBS:,}, the last at"
        f" {busy[-1]:,.0f}): share {share:.2f}, goal {GOAL_SHARE}"
    )
    assert share >= LEAST_SHARE


@contextmanager
def sessions_that_stay(settings: Settings) -> Iterator[None]:
    """Let four sessions read with snapshots that last a second, and one report with one that lasts a minute."""
    is_over = threading.Event()

    def look(number: int) -> None:
        with connect(settings, f"reader {number}", autocommit=False) as connection:
            connection.execute("set default_transaction_isolation = 'repeatable read'")
            connection.commit()
            while not is_over.is_set():
                for query in LOOKS:
                    connection.execute(query.encode()).fetchall()
                    is_over.wait(0.2)
                connection.commit()

    def report() -> None:
        with connect(settings, "report") as connection:
            connection.execute(REPORT, {"rows": READ_SECONDS * 190}).fetchall()

    threads = [threading.Thread(target=look, args=(n,)) for n in range(4)]
    threads.append(threading.Thread(target=report))
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        is_over.set()
        for thread in threads:
            thread.join(PATIENCE)


@pytest.mark.skipif(not IS_LONG, reason="200,000 jobs: only in the long form")
def test_a_long_day_leaves_nothing_behind(arena: Arena):
    plan, name = arena.plan, "soak"
    with provider() as base_url:
        write_calls(plan, name, base_url, due_every="6 minutes")
        system.add_assets(plan, name, SOAK_JOBS)
        with system.listening(arena.settings) as ends, system.worker(arena.settings) as process:
            worker = psutil.Process(process.pid)
            points: list[tuple[float, float, float, int]] = []
            started = time.monotonic()
            for run in range(SOAK_RUNS):
                plan.offset_clock(f"{6 * run} minutes")
                send(plan, ends, name, 100, SOAK_JOBS)
                size = plan.scalar(TABLES) / MEGABYTE
                points.append((*arena.resident(worker), size, len(plan.sql(SESSIONS))))
            seconds = time.monotonic() - started
    runner, sessions, tables, connections = zip(*points, strict=True)
    jobs = SOAK_RUNS * SOAK_JOBS
    tell(
        f"soak: {jobs:,} jobs over an hour of clock at {jobs / seconds:,.0f} jobs/s: runner {_course(runner)} MB,"
        f" sessions {_course(sessions)} MB, queue tables {_course(tables)} MB, connections {set(connections)}"
    )
    assert len(set(connections)) == 1, connections
    assert _slope(runner) * SOAK_RUNS < MAX_GROWTH_MB, runner
    assert _slope(sessions) * SOAK_RUNS < MAX_GROWTH_MB, sessions
    assert max(tables[5:]) <= 1.5 * max(tables[:5]) + 1, tables


def _slope(values: tuple[float, ...]) -> float:
    """Return the growth per run, once the first three runs have warmed up."""
    warm = values[3:]
    return statistics.linear_regression(range(len(warm)), warm).slope


def _course(values: tuple[float, ...]) -> str:
    """Describe the first and last values, and the growth per run."""
    return f"{values[0]:.1f} -> {values[-1]:.1f} (slope {_slope(values):+.2f} a run)"

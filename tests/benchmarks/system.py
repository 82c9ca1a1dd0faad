"""Temporary server, databases and plans for benchmarks, configured as in production."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from psycopg import Connection, sql
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from headgate.database import connect, dsn_of
from headgate.embedded.server import Server
from headgate.migrate.run import migrate
from headgate.settings import Settings
from tests.adopt import adopt
from tests.limits import PATIENCE, wait_until
from tests.plan import Plan
from tests.servers import DB, scratch_folder

UNWANTED = ("HEADGATE_DSN", "HEADGATE_DATABASE", "HEADGATE_HOME", "HEADGATE_DB")
RUNS = itertools.count(1)


@contextmanager
def own_server() -> Iterator[Settings]:
    """Run an embedded server with the product's configuration, with fsync, in its own folder.

    Its log has changes of rows, for the benchmark of exports that read them from there.
    """
    with scratch_folder() as home:
        server = Server(home)
        server.start(parameters={"wal_level": "logical"})
        db = home / "db"  # a copy: workers refuse a database that is not in the state of db/
        shutil.copytree(DB, db)
        try:
            yield Settings(dsn=None, database="postgres", home=home, db=db)
        finally:
            server.stop()


@contextmanager
def own_database(server: Settings, name: str) -> Iterator[Settings]:
    """Create a migrated database, and drop it at the end of the block."""
    settings = server.with_database(f"bench_{name}")
    migrate(settings)
    try:
        yield settings
    finally:
        drop = sql.SQL("drop database {} with (force)").format(sql.Identifier(settings.database))
        with connect(server, "bench") as connection:
            connection.execute(drop)


@contextmanager
def worker(
    settings: Settings, *, concurrency: int = 50, processes: int | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run `headgate worker` in its own process, and yield it once it waits for work."""
    with workers(settings, 1, concurrency=concurrency, processes=processes) as (process,):
        yield process


@contextmanager
def workers(
    settings: Settings, count: int, *, concurrency: int = 50, processes: int | None = None
) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Run so many `headgate worker`s, each in its own process, and yield them once all wait for work."""
    environ = {k: v for k, v in os.environ.items() if k not in UNWANTED}
    command = [sys.executable, "-m", "headgate", "worker", "--concurrency", str(concurrency)]
    if processes is not None:
        command += ["--processes", str(processes)]
    log = settings.home / "worker.log"
    with log.open("w") as output:
        started = [
            subprocess.Popen(
                command,
                env={**environ, "HEADGATE_DSN": dsn_of(settings), "HEADGATE_DB": str(settings.db)},
                cwd=DB.parent,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
            for _ in range(count)
        ]
    try:
        with connect(settings, "bench") as connection:
            wait_until(
                lambda: _has_ended(started) or _listening(connection) >= count,
                "workers that listen",
            )
        assert not _has_ended(started), log.read_text()[-500:]
        time.sleep(0.3)  # for their first claims, which return nothing
        yield started
    finally:
        for process in started:
            process.terminate()
        for process in started:
            process.wait(PATIENCE)


def beat(connection: Connection[DictRow]) -> None:
    """Do what an idle runner does every few seconds: it is alive, and counts what is due to be counted."""
    row = Plan(connection).row("heartbeat", p_runner="bench", p_host="here", p_pid=0, p_version="")
    if row["counts_due"]:
        Plan(connection).row("keep_counts")


def _has_ended(processes: list[subprocess.Popen[bytes]]) -> bool:
    return any(x.poll() is not None for x in processes)


def _listening(connection: Connection[DictRow]) -> int:
    """Return how many workers are listening for notifications."""
    row = connection.execute(
        "select count(*) as listening from pg_stat_activity where datname = current_database()"
        " and application_name = 'headgate worker, listening' and state = 'idle'"
    ).fetchone()
    assert row is not None
    return int(row["listening"])


def wait_for_end(connection: Connection[Any], execution_id: int) -> float:
    """Wait on a listening connection for the end of the run's only step; return the time of its notification."""
    for notice in connection.notifies(timeout=PATIENCE):
        if notice.payload == str(execution_id):
            return time.perf_counter()
    raise AssertionError(f"execution {execution_id} did not end in time")


def write_plan(
    plan: Plan,
    name: str,
    *,
    provider: dict[str, Any] | None = None,
    operation: dict[str, Any] | None = None,
) -> None:
    """Insert a pipeline with one step and one operation, all called `name`, without assets."""
    if provider is not None:
        insert(plan, "providers", name=name, **provider)
        plan.sql(
            "insert into headgate.response_rules (provider_id, position, status, outcome, reason)"
            " select p.provider_id, 1, '200', 'success', 'answered'"
            " from headgate.providers as p where p.name = %(name)s",
            name=name,
        )
    provider_id = plan.scalar(
        "select p.provider_id from headgate.providers as p where p.name = %(name)s",
        name=name if provider is not None else "local",
    )
    rule = {"due_rule": "every", "due_every": "1 day"}
    columns = {"provider_id": provider_id, **rule, **(operation or {})}
    insert(plan, "operations", name=name, universe=name, **columns)
    insert(plan, "pipelines", name=name)
    plan.sql(
        "insert into headgate.pipeline_steps (pipeline_id, step, position, kind, operations)"
        " select p.pipeline_id, 'work', 1, 'fan_out', array[p.name]"
        " from headgate.pipelines as p where p.name = %(name)s",
        name=name,
    )
    adopt(plan.connection)
    plan.sql("select headgate.check_plans()")


def add_assets(plan: Plan, universe: str, count: int, **columns: Any) -> None:
    """Add assets N1, N2, ... to a universe."""
    plan.sql(
        "select * from headgate.upsert_assets(%(universe)s, (select jsonb_agg("
        "%(columns)s || jsonb_build_object('code', 'N' || n)) from generate_series(1, %(count)s) as n))",
        universe=universe,
        count=count,
        columns=Jsonb({"group_key": "G", **columns}),
    )


def insert(plan: Plan, table: str, **columns: Any) -> None:
    """Insert a row into a table of headgate; omitted columns keep their defaults."""
    statement = sql.SQL("insert into headgate.{} ({}) values ({})").format(
        sql.Identifier(table),
        sql.SQL(", ").join(map(sql.Identifier, columns)),
        sql.SQL(", ").join(map(sql.Placeholder, columns)),
    )
    adapted = {k: Jsonb(v) if isinstance(v, dict) else v for k, v in columns.items()}
    plan.connection.execute(statement, adapted)


def make_due(plan: Plan, operation: str, chunk_size: int) -> None:
    """Make all of an operation's assets due, in chunks of that size, on a table without dead rows."""
    plan.sql(
        "update headgate.operations set chunk_size = %(size)s where name = %(name)s",
        size=chunk_size,
        name=operation,
    )
    plan.sql(
        "update headgate.asset_processing_state as s set next_due_at = (select headgate.clock()), chunk_id = null"
        " from headgate.operations as o where o.operation_id = s.operation_id and o.name = %(name)s",
        name=operation,
    )
    plan.sql("vacuum analyze headgate.asset_processing_state")
    plan.sql("vacuum analyze headgate.chunks")


def start(plan: Plan, pipeline: str) -> str:
    """Start an execution; return its run id."""
    run_id = f"run-{next(RUNS)}"
    plan.call("start_execution", p_pipeline=pipeline, p_run_id=run_id)
    return run_id


def finish(plan: Plan, pipeline: str, run_id: str, jobs: int) -> None:
    """Finalize an execution, and check that all its jobs have succeeded."""
    row = plan.row("finalize_execution", p_pipeline=pipeline, p_run_id=run_id)
    assert row["succeeded"] == jobs, f"not all of {jobs} jobs succeeded: {row}"


def id_of(plan: Plan, pipeline: str, run_id: str) -> int:
    """Return the execution's id, which is the payload of its notifications."""
    number: int = plan.value("execution_id", p_pipeline=pipeline, p_run_id=run_id)
    return number


def work_off(settings: Settings, plan: Plan, name: str, chunk_size: int, jobs: int) -> float:
    """Run one execution with a waiting worker; return the seconds from sending to the end."""
    make_due(plan, name, chunk_size)
    run_id = start(plan, name)
    with listening(settings) as ends:
        plan.call("enqueue_step", p_pipeline=name, p_run_id=run_id, p_step="work")
        started = time.perf_counter()
        seconds = wait_for_end(ends, id_of(plan, name, run_id)) - started
    finish(plan, name, run_id, jobs)
    return seconds


@contextmanager
def listening(settings: Settings) -> Iterator[Connection[DictRow]]:
    """Yield a connection that listens for the ends of steps."""
    with connect(settings, "bench") as connection:
        connection.execute("listen headgate_steps")
        yield connection

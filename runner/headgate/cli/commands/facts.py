"""What a run waits for and has not done, from one source for run, retry, status and report."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from psycopg import Connection
from psycopg.rows import DictRow

from headgate import explained
from headgate.cli.commands import console

ENDED = ("succeeded", "failed", "cancelled")

STEPS = """
select * from headgate.v_execution_steps as s
where s.pipeline = %(pipeline)s and s.run_id = %(run_id)s
"""
WAITING = """
select
    w.step, w.operation, w.reason, w.jobs, null as units, w.next_try_at, w.gives_up_at, w.retries
from headgate.v_waiting as w
where w.pipeline = %(pipeline)s and w.run_id = %(run_id)s
    and (%(is_all)s or w.reason not in (select r.meaning from headgate.v_deferral_reasons as r))
order by w.next_try_at nulls first, w.operation, w.reason
"""
LEFT_OUT = """
select
    null as step, v.operation, v.meaning as reason, sum(v.assets) as jobs, sum(v.units) as units,
    min((v.evidence ->> 'earliest')::timestamptz) as next_try_at, null as gives_up_at, 0 as retries
from headgate.v_deferrals as v
where v.pipeline = %(pipeline)s and v.run_id = %(run_id)s
group by v.operation, v.meaning
order by v.operation, v.meaning
"""
LEASES = """
select
    l.runner, sum(l.chunks) as leases, sum(l.jobs) as jobs, max(l.heard_at) as heard_at,
    max(l.leased_until) as leased_until, bool_and(l.is_silent) as is_silent, min(l.reason) as reason
from headgate.v_leases as l
where l.pipeline = %(pipeline)s and l.run_id = %(run_id)s
group by l.runner
order by l.runner
"""
NEXT = "select * from headgate.next_actions(p_pipeline => %(pipeline)s, p_run_id => %(run_id)s)"
NOW = "select headgate.clock() as now"


def steps_of(connection: Connection[DictRow], run: DictRow) -> list[DictRow]:
    """Return the steps of a run, in order."""
    return connection.execute(STEPS, _names(run)).fetchall()


def waiting_of(connection: Connection[DictRow], run: DictRow) -> list[DictRow]:
    """Return a run's waiting jobs with reasons; for an ended run, the jobs its plan left out."""
    if run["status"] in ENDED:
        return connection.execute(LEFT_OUT, _names(run)).fetchall()
    return connection.execute(WAITING, {**_names(run), "is_all": True}).fetchall()


def held_up(connection: Connection[DictRow], run: DictRow) -> list[DictRow]:
    """Return a run's waiting jobs, without those that its plan left out."""
    return connection.execute(WAITING, {**_names(run), "is_all": False}).fetchall()


def leases_of(connection: Connection[DictRow], run: DictRow) -> list[DictRow]:
    """Return the leases of a run, one row per runner."""
    return connection.execute(LEASES, _names(run)).fetchall()


def next_of(connection: Connection[DictRow], run: DictRow) -> list[DictRow]:
    """Return the next actions for an unfinished run, the most important one last."""
    return connection.execute(NEXT, _names(run)).fetchall()


def facts_of(connection: Connection[DictRow], run: DictRow) -> dict[str, Any]:
    """Return steps, waiting jobs, leases and next actions, as for a JSON document."""
    return {
        "steps": steps_of(connection, run),
        "waiting": waiting_of(connection, run),
        "leases": leases_of(connection, run),
        "next": next_of(connection, run),
    }


def whole_steps(connection: Connection[DictRow], arguments: dict[str, Any]) -> list[DictRow]:
    """Return the pipeline's runs and whole steps that wait or will be skipped."""
    return connection.execute(explained.STEPS, {"at": None, **arguments}).fetchall()


def print_whole_steps(rows: list[DictRow]) -> None:
    """Print the rows of `whole_steps`, if any."""
    if rows:
        print()
        waits = any(row["run_at"] for row in rows)
        columns = ["run_id", "step", "decision", "reason", *(["run_at"] if waits else [])]
        console.print_table(rows, *columns)


def now_of(connection: Connection[DictRow]) -> datetime:
    """Return the current time of Headgate's clock in the database."""
    row = connection.execute(NOW).fetchone()
    assert row is not None
    now: datetime = row["now"]
    return now


def waits(rows: Iterable[DictRow], now: datetime) -> list[str]:
    """Return lines on waiting jobs, one per reason."""
    return [_wait(row, now) for row in rows]


def held(rows: Iterable[DictRow], now: datetime) -> list[str]:
    """Return lines on the leases waited for, one per runner."""
    return [
        f"waiting for {console.counted(row['leases'], 'lease')} of runner"
        f" {row['runner']}, {'gone since' if row['is_silent'] else 'last heard from at'}"
        f" {console.as_clock(row['heard_at'], now)},"
        f" until {console.as_clock(row['leased_until'], now)}"
        for row in rows
    ]


def _wait(row: DictRow, now: datetime) -> str:
    jobs = console.counted(int(row["jobs"]), "job")
    whose = f"{jobs} of {row['operation']}" if row["operation"] else f"step {row['step']}"
    said = [f"{whose}: {row['reason']}"]
    if row["next_try_at"] is not None and row["next_try_at"] > now:
        said.append(f"next try {console.as_clock(row['next_try_at'], now)}")
    if row["gives_up_at"] is not None:
        said.append(f"gives up {console.as_clock(row['gives_up_at'], now)}")
    return ", ".join(said)


def _names(run: DictRow) -> dict[str, Any]:
    return {"pipeline": run["pipeline"], "run_id": run["run_id"]}

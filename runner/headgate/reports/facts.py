"""What is known of a run, from one source for commands, reports and pages."""

from __future__ import annotations

from datetime import datetime
from difflib import get_close_matches
from typing import Any

from psycopg import Connection
from psycopg.rows import DictRow

from headgate.errors import InvalidValue, UnknownExecution

ENDED = ("succeeded", "failed", "cancelled")

CHECK_PIPELINE = "select headgate.check_run(p_pipeline => %(pipeline)s)"
EXECUTIONS = """
select * from headgate.v_recent_executions as e
where (%(pipeline)s::text is null or e.pipeline = %(pipeline)s)
    and (%(run_id)s::text is null or e.run_id = %(run_id)s)
order by e.started_at desc
limit %(limit)s
"""
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
REASONS = "select * from headgate.run_reasons(p_pipeline => %(pipeline)s, p_run_id => %(run_id)s)"
QUOTA = """
select q.*
from headgate.v_quota as q
where q.opened_at < coalesce(%(finished_at)s::timestamptz, 'infinity')
    and q.closes_at > %(started_at)s::timestamptz
    and q.provider in (
        select o.provider from headgate.v_operations as o where %(pipeline)s = any (o.pipelines)
    )
    and q.provider <> 'local'
"""
NOW = "select headgate.clock() as now"


def check_pipeline(connection: Connection[DictRow], pipeline: str | None) -> None:
    """Raise UnknownPipeline, with a similar name, if no pipeline has this name."""
    if pipeline is not None:
        connection.execute(CHECK_PIPELINE, {"pipeline": pipeline})


def run_of(connection: Connection[DictRow], pipeline: str | None, run_id: str) -> DictRow:
    """Return the run of that name. Raises UnknownExecution if none, InvalidValue if several."""
    check_pipeline(connection, pipeline)
    names = {"pipeline": pipeline, "run_id": run_id, "limit": 2}
    rows = connection.execute(EXECUTIONS, names).fetchall()
    if len(rows) > 1:
        raise InvalidValue(
            f"several pipelines have a run {run_id!r}", hint="choose one: --pipeline"
        )
    if rows:
        return rows[0]
    latest = connection.execute(EXECUTIONS, {**names, "run_id": None, "limit": 100})
    near = get_close_matches(run_id, [x["run_id"] for x in latest])
    where = f" of pipeline {pipeline}" if pipeline else ""
    raise UnknownExecution(
        f"there is no run {run_id!r}{where} in database {connection.info.dbname}",
        hint=f"did you mean {' or '.join(near)}?" if near else "headgate status lists them",
    )


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


def reasons_of(connection: Connection[DictRow], run: DictRow) -> dict[str, list[DictRow]]:
    """Return how many jobs failed or were deferred, and were skipped, for which reason."""
    found: dict[str, list[DictRow]] = {"failures": [], "skipped": []}
    for row in connection.execute(REASONS, _names(run)):
        found["skipped" if row["status"] == "skipped" else "failures"].append(row)
    return found


def quota_of(connection: Connection[DictRow], run: DictRow) -> list[DictRow]:
    """Return the quota windows that were open during a run."""
    return connection.execute(QUOTA, run).fetchall()


def facts_of(connection: Connection[DictRow], run: DictRow) -> dict[str, Any]:
    """Return steps, waiting jobs, leases and next actions, as for a JSON document."""
    return {
        "steps": steps_of(connection, run),
        "waiting": waiting_of(connection, run),
        "leases": leases_of(connection, run),
        "next": next_of(connection, run),
    }


def now_of(connection: Connection[DictRow]) -> datetime:
    """Return the current time of Headgate's clock in the database."""
    row = connection.execute(NOW).fetchone()
    assert row is not None
    now: datetime = row["now"]
    return now


def _names(run: DictRow) -> dict[str, Any]:
    return {"pipeline": run["pipeline"], "run_id": run["run_id"]}

"""Invariants that hold between any two transactions."""

from __future__ import annotations

from typing import LiteralString

from tests.plan import Plan

# Each query finds violations of one rule.
RULES: dict[str, LiteralString] = {
    "units spent are in details or are carried by chunks": """
        select p.name, w.spent, coalesce(d.units, 0) as ended, coalesce(c.units, 0) as carried
        from headgate.providers as p
        cross join lateral (
            select coalesce(sum(w.spent), 0) as spent
            from headgate.quota_windows as w where w.provider_id = p.provider_id
        ) as w
        cross join lateral (
            select coalesce(sum(d.units), 0) as units
            from headgate.asset_processing_details as d
            join headgate.operations as o using (operation_id)
            where o.provider_id = p.provider_id
        ) as d
        cross join lateral (
            select coalesce(sum(
                c.charged_units * cardinality(c.asset_ids) + case when c.state = 'leased' then c.units else 0 end
            ), 0) as units
            from headgate.chunks as c where c.provider_id = p.provider_id
        ) as c
        where p.quota is not null and w.spent <> d.units + c.units
    """,
    "units reserved are those of chunks that wait for their lease": """
        select w.provider_id, w.opened_at, w.reserved, sum(c.units) as promised
        from headgate.quota_windows as w
        left join headgate.chunks as c
            on c.provider_id = w.provider_id
            and c.window_opened_at = w.opened_at
            and c.state <> 'leased'
        group by w.provider_id, w.opened_at, w.reserved
        having w.reserved <> coalesce(sum(c.units), 0)
    """,
    "nothing is booked above what is usable": """
        select * from headgate.quota_windows as w where w.reserved + w.spent > w.usable
    """,
    "a job's units are those of its operation, once a delivery": """
        select d.* from headgate.asset_processing_details as d
        join headgate.operations as o using (operation_id)
        where d.units <> d.api_calls_used or o.units > 0 and d.units % o.units <> 0 and not exists (
            select from headgate.operations as p
            where p.bulk_call_of_operation_id = o.operation_id and p.batch_size is not null
        )
    """,
    "chunks hold the pairs that say so, and only those": """
        select h.operation_id, h.asset_id, h.chunk_id, s.chunk_id as says
        from (
            select c.operation_id, u.asset_id, c.chunk_id
            from headgate.chunks as c cross join unnest(c.asset_ids) as u (asset_id)
        ) as h
        full join (
            select s.* from headgate.asset_processing_state as s where s.chunk_id is not null
        ) as s using (operation_id, asset_id)
        where h.chunk_id is distinct from s.chunk_id
    """,
    "calls and units of a chunk are those of its jobs": """
        select c.* from headgate.chunks as c join headgate.operations as o using (operation_id)
        where c.sessions is null and (
                c.calls <> case when o.path is null then 0 else cardinality(c.asset_ids) end
                or c.units <> o.units * cardinality(c.asset_ids)
            )
    """,
    "a step has planned what has ended and what is in flight": """
        select n.*, f.jobs as in_flight
        from headgate._step_counters as n
        join headgate.process_steps as s using (execution_id, step)
        cross join lateral (
            select coalesce(sum(cardinality(c.asset_ids)), 0) as jobs
            from headgate.chunks as c where c.execution_id = s.execution_id and c.step = s.step
        ) as f
        where n.planned <> n.ended + f.jobs
            or s.status = 'running' and f.jobs = 0
            and s.planned_at is not null  -- else it is planned next
            and not exists (
                select from headgate.step_counts as c where c.execution_id = s.execution_id and c.step = s.step
            )  -- else the next session that advances it ends it
    """,
    "a step's counters are those of its jobs' latest rounds": """
        with latest as (
            select distinct on (d.execution_id, d.step, d.operation_id, d.asset_id) d.*
            from headgate.asset_processing_details as d
            order by d.execution_id, d.step, d.operation_id, d.asset_id, d.round desc
        ),
        settled as (
            select l.* from latest as l
            where not exists (
                select from headgate.chunks as c
                where c.execution_id = l.execution_id
                    and c.step = l.step
                    and c.operation_id = l.operation_id
                    and l.asset_id = any (c.asset_ids)
            )
        )
        select s.execution_id, s.step, s.succeeded, s.failed, s.deferred, s.skipped
        from headgate._step_counters as s
        left join settled as l using (execution_id, step)
        group by s.execution_id, s.step, s.succeeded, s.failed, s.deferred, s.skipped, s.deferred_by_fault,
            s.deferred_by_internal_fault, s.degraded
        having (
            s.succeeded, s.failed, s.deferred, s.skipped, s.deferred_by_fault, s.deferred_by_internal_fault, s.degraded
        ) is distinct from (
            count(*) filter (where l.status = 'success')::integer,
            count(*) filter (where l.status = 'failed')::integer,
            count(*) filter (where l.status = 'deferred')::integer,
            count(*) filter (where l.status in ('skipped', 'cancelled'))::integer,
            count(*) filter (where l.status = 'deferred' and l.reason ~ '^(provider|internal): ')::integer,
            count(*) filter (where l.status = 'deferred' and l.reason ~ '^internal: ')::integer,
            count(*) filter (where l.status = 'success' and l.verdict = 'degraded')::integer
        )
    """,
    "a step's units are those of its jobs' details": """
        select s.execution_id, s.step, s.units, sum(d.units) as ended
        from headgate._step_counters as s
        left join headgate.asset_processing_details as d using (execution_id, step)
        group by s.execution_id, s.step, s.units
        having s.units <> coalesce(sum(d.units), 0)
    """,
    "an execution that has ended says what its steps say": """
        select e.execution_id, e.run_id, e.status
        from headgate.process_executions as e
        join headgate.process_steps as s using (execution_id)
        where e.finished_at is not null
        group by e.execution_id
        having (e.planned, e.succeeded, e.failed, e.deferred, e.skipped, e.units) is distinct from (
            sum(s.planned)::integer, sum(s.succeeded)::integer, sum(s.failed)::integer,
            sum(s.deferred)::integer, sum(s.skipped)::integer, sum(s.units)::integer
        )
    """,
    "a job ends once a round": """
        select d.execution_id, d.step, d.operation_id, d.asset_id, d.round, count(*)
        from headgate.asset_processing_details as d
        group by d.execution_id, d.step, d.operation_id, d.asset_id, d.round
        having count(*) > 1
    """,
    "what is in flight belongs to a step that is, unless a lease ends by itself": """
        select c.chunk_id, c.state, e.status, s.status as step_status
        from headgate.chunks as c
        join headgate.process_executions as e using (execution_id)
        join headgate.process_steps as s using (execution_id, step)
        where c.state <> 'leased'
            and (e.status not in ('running', 'paused') or s.status not in ('pending', 'running'))
    """,
}


MESSAGES = (
    "with message as ("
    + " union all ".join(
        f"select '{x}_{y}' as queue, q.msg_id, (q.message ->> 'chunk_id')::bigint as chunk_id"
        f" from pgmq.q_{x}_{y} as q"
        for x in ("shop", "side", "local")
        for y in ("high", "normal", "low")
    )
    + ") select m.*, c.chunk_id as of_chunk, c.state from message as m"
    " full join (select * from headgate.chunks as c where c.msg_id is not null) as c"
    " on c.queue = m.queue and c.msg_id = m.msg_id and c.chunk_id = m.chunk_id"
    " where m.msg_id is null or c.chunk_id is null"
)
"""Finds queued and leased chunks without exactly one message, and messages without a chunk."""

QUERIES = (*RULES.items(), ("messages and chunks agree", MESSAGES))
WRONG = " union all ".join(
    f"select {number} as rule where exists ({query})" for number, (_, query) in enumerate(QUERIES)
)
"""All rules in one statement."""

KEPT = f"""
create schema ledger;
create function ledger.wrong()
returns table (rule integer)
language plpgsql
set search_path = pg_catalog, pg_temp
as $func$
begin
    return query {WRONG};
end;
$func$
"""
"""The same as a function, planned once a session: what psycopg prepares does not outlive a rollback."""


def assert_ledger_balances(plan: Plan, wrong: str = WRONG) -> None:
    """Check every rule, and that messages and chunks agree."""
    for row in plan.connection.execute(wrong.encode()).fetchall():
        rule, query = QUERIES[row["rule"]]
        raise AssertionError(f"{rule}: {plan.connection.execute(query.encode()).fetchall()}")

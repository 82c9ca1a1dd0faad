-- Every decision kept: jobs that ended, jobs under way, and what was due and had to wait.

drop view if exists headgate.v_decisions cascade;

create view headgate.v_decisions as
select
    d.asset_id,
    a.code as asset,
    o.name as operation,
    p.name as pipeline,
    e.run_id,
    e.started_at,
    d.decided_at,
    d.decision,
    d.outcome,
    d.reason,
    d.units,
    d.evidence
from (
    select
        t.execution_id, t.asset_id, t.operation_id, t.ended_at as decided_at, 'run'::text as decision,
        t.status as outcome,
        coalesce(t.error, t.reason) as reason, t.units,
        jsonb_strip_nulls(jsonb_build_object(
            'attempts', t.attempts, 'records', t.records, 'round', nullif(t.round, 1)
        )) as evidence
    from headgate.asset_processing_details as t
    union all
    select
        c.execution_id, u.asset_id, c.operation_id, c.planned_at as decided_at, 'run'::text as decision,
        null::text as outcome,
        case
            when c.waits_for_pool is not null then c.park_reason
            when c.state = 'parked' then format('waits until %s: %s', c.wake_at at time zone 'UTC', c.park_reason)
            else c.state
        end as reason,
        case
            when not c.is_bulk then c.units / cardinality(c.asset_ids)
            when u.nth = 1 then c.units
            else 0
        end as units,
        jsonb_strip_nulls(jsonb_build_object(
            'chunk_id', c.chunk_id, 'runner', c.runner, 'leased_until', c.leased_until
        )) as evidence
    from headgate.chunks as c
    cross join unnest(c.asset_ids) with ordinality as u (asset_id, nth)
) as d
join headgate.assets as a using (asset_id)
join headgate.operations as o using (operation_id)
left join headgate.process_executions as e using (execution_id)
left join headgate.pipelines as p using (pipeline_id)
union all
select
    u.asset_id, a.code as asset, f.operation, f.pipeline, f.run_id, f.started_at, f.deferred_at as decided_at,
    'defer'::text as decision, null::text as outcome, f.meaning as reason, 0 as units, f.evidence
from headgate.v_deferrals as f
cross join unnest(f.asset_ids) as u (asset_id)
join headgate.assets as a using (asset_id);

comment on view headgate.v_decisions is
    'What was decided about each asset, and the outcome: one row per job that has ended, is in flight, or was put '
    'off.';
comment on column headgate.v_decisions.asset_id is 'The asset.';
comment on column headgate.v_decisions.asset is 'Its code.';
comment on column headgate.v_decisions.operation is 'The operation.';
comment on column headgate.v_decisions.pipeline is 'The pipeline; null: the run is older than the history kept.';
comment on column headgate.v_decisions.run_id is 'The run; null: it is older than the history kept.';
comment on column headgate.v_decisions.started_at is 'When the run started.';
comment on column headgate.v_decisions.decided_at is
    'When the job ended, or was put off; while it is under way: when it was planned.';
comment on column headgate.v_decisions.decision is 'run or defer.';
comment on column headgate.v_decisions.outcome is
    'Of what was run: success, failed, deferred, skipped or cancelled; null: it is under way.';
comment on column headgate.v_decisions.reason is 'Why it had to wait, or why it did not succeed.';
comment on column headgate.v_decisions.units is 'Units charged.';
comment on column headgate.v_decisions.evidence is 'The basis of the decision, or what the job took.';

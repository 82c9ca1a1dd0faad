-- The leases of each runner, and when it was last heard from. A runner sends a heartbeat every five seconds: one that
-- has sent none for fifteen was killed, stopped or cut off. Leases use real time.

drop view if exists headgate.v_leases cascade;

create view headgate.v_leases as
select
    s.*,
    case when s.is_silent then format('runner %s is gone', s.runner) end as reason
from (
    select
        p.name as pipeline,
        e.run_id,
        c.step,
        o.name as operation,
        c.runner,
        count(*) as chunks,
        sum(cardinality(c.asset_ids)) as jobs,
        coalesce(min(r.last_seen_at), max(c.leased_until - k.lease)) as heard_at,
        max(c.leased_until) as leased_until,
        -- Without heartbeats, only its leases show that a runner is alive: it extends them after a third of their term.
        coalesce(min(r.last_seen_at) + interval '15 seconds', max(c.leased_until - k.lease / 2)) < clock_timestamp()
            as is_silent
    from headgate.chunks as c
    join headgate.process_executions as e using (execution_id)
    join headgate.pipelines as p using (pipeline_id)
    join headgate.operations as o using (operation_id)
    join headgate.operations as k on k.operation_id = c.call_operation_id
    left join headgate.runners as r on r.runner = c.runner
    where c.state = 'leased'
    group by p.name, e.run_id, c.step, o.name, c.runner
) as s;

comment on view headgate.v_leases is 'Leased chunks by runner, and the runner''s last heartbeat.';
comment on column headgate.v_leases.pipeline is 'The pipeline.';
comment on column headgate.v_leases.run_id is 'The run.';
comment on column headgate.v_leases.step is 'The step.';
comment on column headgate.v_leases.operation is 'The operation.';
comment on column headgate.v_leases.runner is 'The runner that holds the leases.';
comment on column headgate.v_leases.chunks is 'The number of chunks.';
comment on column headgate.v_leases.jobs is 'Jobs in them that have not been handed in.';
comment on column headgate.v_leases.heard_at is 'When the runner last sent a heartbeat.';
comment on column headgate.v_leases.leased_until is
    'When the last of them ends unless it is extended; then another runner takes over.';
comment on column headgate.v_leases.is_silent is 'True: the runner has sent no heartbeat for fifteen seconds.';
comment on column headgate.v_leases.reason is
    'What v_waiting says of work that waits for the end of these leases; null: it is under way.';

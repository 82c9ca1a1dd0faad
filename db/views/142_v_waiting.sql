-- Why work does not go on, and until when: jobs in flight that wait for something, and what the newest run of each pipeline had to
-- leave out of its plan. What is merely next in turn is not here.

drop view if exists headgate.v_waiting cascade;

create view headgate.v_waiting as
select
    p.name as pipeline,
    e.run_id,
    c.step,
    o.name as operation,
    w.reason,
    sum(cardinality(c.asset_ids)) as jobs,
    min(w.next_try_at) as next_try_at,
    min(c.park_until) as gives_up_at,
    max(c.requests) as retries
from headgate.chunks as c
join headgate.process_executions as e using (execution_id)
join headgate.pipelines as p using (pipeline_id)
join headgate.operations as o using (operation_id)
join headgate.providers as r on r.provider_id = c.provider_id
left join headgate.operations as b on b.operation_id = c.call_operation_id
join headgate.v_provider_health as h on h.provider = r.name
left join headgate.v_operation_health as k on k.operation = coalesce(b.name, o.name)
cross join (select headgate.clock() as now offset 0) as t
left join headgate.quota_windows as q on q.provider_id = c.provider_id and q.opened_at <= t.now and q.closes_at > t.now
left join headgate.v_leases as l
    on c.state = 'leased' and l.is_silent
    and l.pipeline = p.name and l.run_id = e.run_id and l.step = c.step and l.operation = o.name and l.runner = c.runner
cross join (
    select exists (
        select
        from pg_catalog.pg_stat_activity as a
        where a.datname = current_database()
            and a.application_name like 'headgate worker%'
    ) as is_any
    offset 0
) as runner
left join (
    select distinct n.provider_id from headgate.chunks as n where n.state = 'leased' and n.leased_until > clock_timestamp()
) as busy on busy.provider_id = c.provider_id
cross join lateral (
    select v.reason, v.next_try_at
    from (values
        (1, l.is_silent, l.reason, t.now + (l.leased_until - clock_timestamp())),
        (2, c.state <> 'leased' and e.status = 'paused', 'the pipeline is paused', null),
        (3, c.state = 'parked', c.park_reason, greatest(c.wake_at, h.blocked_until, k.blocked_until, q.blocked_until)),
        (4, c.state = 'queued' and h.state = 'blocked', h.blocked_reason, h.blocked_until),
        (5, c.state = 'queued' and q.blocked_until > t.now, 'quota: the provider says it is used up', q.blocked_until),
        (
            6, c.state = 'queued' and c.calls > 0 and t.now >= q.closes_at - r.reset_guard,
            'quota: the window is about to be reset', q.closes_at
        ),
        (7, c.state = 'queued' and k.state = 'blocked', k.reason, k.blocked_until),
        (8, c.state = 'queued' and 'probing' in (h.state, k.state), 'provider: one call probes it, the others wait for the answer', null),
        (
            9, c.state = 'queued' and h.rate_tokens < least(c.calls, r.requests_per_minute),
            format('rate limit: %s requests a minute', r.requests_per_minute), null
        ),
        (10, c.state = 'queued' and not runner.is_any, 'no runner is connected', null),
        (
            11, c.state = 'queued' and busy.provider_id is null,
            format(
                'no runner takes it from queue %s: they are busy, serve other queues%s', c.queue,
                coalesce(' or lack the secret ' || r.secret_name, '')
            ), null
        )
    ) as v (nth, is_so, reason, next_try_at)
    where v.is_so
    order by v.nth
    limit 1
) as w
where e.status in ('running', 'paused')
group by p.name, e.run_id, c.step, o.name, w.reason
union all
select
    p.name as pipeline,
    e.run_id,
    g.step,
    o.name as operation,
    coalesce(f.meaning, d.reason) as reason,
    sum(cardinality(d.asset_ids)) as jobs,
    min((d.evidence ->> 'earliest')::timestamptz) as next_try_at,
    null as gives_up_at,
    0 as retries
from headgate.planner_deferrals as d
join headgate.process_executions as e using (execution_id)
join headgate.pipelines as p using (pipeline_id)
join headgate.operations as o using (operation_id)
join (
    select n.pipeline_id, max(n.execution_id) as execution_id from headgate.process_executions as n group by n.pipeline_id
) as newest on newest.pipeline_id = e.pipeline_id
left join headgate.v_refusals as f using (reason)
left join lateral (
    select s.step
    from headgate.pipeline_steps as s
    where s.pipeline_id = e.pipeline_id
        and o.name = any (s.operations)
        and (s.group_keys is null or d.group_key = any (s.group_keys))
    order by s.position
    limit 1
) as g on true
where e.status in ('running', 'paused')
    or e.execution_id = newest.execution_id
group by p.name, e.run_id, g.step, o.name, coalesce(f.meaning, d.reason);

comment on view headgate.v_waiting is
    'What waits, why and until when: parked, held up in a queue, or due and not planned by the newest run of its pipeline.';
comment on column headgate.v_waiting.pipeline is 'The pipeline.';
comment on column headgate.v_waiting.run_id is 'The run in which it waits, or which left it out of its plan.';
comment on column headgate.v_waiting.step is 'The step.';
comment on column headgate.v_waiting.operation is 'The operation.';
comment on column headgate.v_waiting.reason is
    'Why: the error before a retry, a block, a limit, a pause, a runner that is silent or missing, or the reason of a deferral.';
comment on column headgate.v_waiting.jobs is 'How many jobs.';
comment on column headgate.v_waiting.next_try_at is
    'When it goes on; of what was not planned: the earliest time at which a run can take it. Null: not by time alone.';
comment on column headgate.v_waiting.gives_up_at is
    'When its run stops waiting and leaves it to the next one; null: it does not give up by time.';
comment on column headgate.v_waiting.retries is 'How often one of these jobs has been called for so far, at most.';

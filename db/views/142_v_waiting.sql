-- Why work does not continue, and until when: jobs in flight that wait for something, runs that nobody carries on,
-- steps that wait for a retry, runs that are queued, and what the newest run of each pipeline left out of its plan.
-- Work that is merely next in turn is not included.

drop view if exists headgate.v_waiting cascade;

create view headgate.v_waiting as
select
    w.pipeline,
    w.run_id,
    w.step,
    w.operation,
    w.reason,
    sum(w.jobs) as jobs,
    min(w.next_try_at) as next_try_at,
    min(w.gives_up_at) as gives_up_at,
    max(w.retries) as retries,
    w.cause
from (
    select
        p.name as pipeline,
        e.run_id,
        c.step,
        o.name as operation,
        cardinality(c.asset_ids) as jobs,
        c.park_until as gives_up_at,
        c.retry_count as retries,
        v.cause,
        case v.cause
            when 'gone' then l.reason
            when 'paused' then 'the pipeline is paused'
            when 'parked' then c.park_reason
            when 'pool' then c.park_reason
            when 'provider' then h.blocked_reason
            when 'window' then 'quota: the provider reports it as exhausted'
            when 'reset' then 'quota: the window is about to be reset'
            when 'operation' then k.reason
            when 'probe' then 'provider: one call probes it, the others wait for the answer'
            when 'rate' then case
                when r.crawl_delay is null then format('rate limit: %s requests a minute', r.requests_per_minute)
                else format('rate limit: robots.txt asks for a pause of %s between requests', r.crawl_delay)
            end
            when 'no_runner' then 'no runner is connected'
            when 'left' then format(
                'no runner takes it from queue %s: all are busy or serve other queues%s', c.queue,
                coalesce(' or lack the secret ' || r.secret_name, '')
            )
        end as reason,
        case v.cause
            when 'gone' then t.now + (l.leased_until - clock_timestamp())
            when 'parked' then greatest(c.wake_at, h.blocked_until, k.blocked_until, q.blocked_until)
            when 'provider' then h.blocked_until
            when 'window' then q.blocked_until
            when 'reset' then q.closes_at
            when 'operation' then k.blocked_until
            when 'rate' then g.next_start_at
        end as next_try_at
    from headgate.chunks as c
    join headgate.process_executions as e using (execution_id)
    join headgate.pipelines as p using (pipeline_id)
    join headgate.operations as o using (operation_id)
    join headgate.providers as r on r.provider_id = c.provider_id
    join headgate.operations as b on b.operation_id = c.call_operation_id
    join headgate.v_provider_health as h on h.provider = r.name
    join headgate.rate_limiters as g on g.provider_id = c.provider_id
    left join headgate.v_operation_health as k on k.operation = b.name
    cross join (select headgate.clock() as now offset 0) as t
    left join headgate.quota_windows as q
        on q.provider_id = c.provider_id and q.opened_at <= t.now and q.closes_at > t.now
    left join headgate.v_leases as l
        on c.state = 'leased' and l.is_silent and l.runner = c.runner
        and l.pipeline = p.name and l.run_id = e.run_id and l.step = c.step and l.operation = o.name
    left join (
        select distinct n.provider_id
        from headgate.chunks as n
        where n.state = 'leased'
            and n.leased_until > clock_timestamp()
    ) as busy on busy.provider_id = c.provider_id
    cross join (
        select exists (
            select
            from headgate.runners as n
            where n.last_seen_at > clock_timestamp() - interval '15 seconds'
        ) as is_any
        offset 0
    ) as runner
    cross join lateral (
        select case
            when l.is_silent then 'gone'
            when c.state = 'leased' then null
            when e.status = 'paused' then 'paused'
            when c.waits_for_pool is not null then 'pool'
            when c.state = 'parked' then 'parked'
            when c.state <> 'queued' then null
            when h.state = 'blocked' then 'provider'
            when q.blocked_until > t.now then 'window'
            when c.calls > 0 and t.now >= q.closes_at - r.reset_guard then 'reset'
            when k.state = 'blocked' then 'operation'
            when 'probing' in (h.state, k.state) then 'probe'
            when c.calls > 0 and g.next_start_at > t.now + interval '2 seconds' then 'rate'
            when not runner.is_any then 'no_runner'
            when busy.provider_id is null then 'left'
        end as cause
    ) as v
    where e.status in ('running', 'paused')
        and v.cause is not null
) as w
group by w.pipeline, w.run_id, w.step, w.operation, w.reason, w.cause
union all
select
    p.name as pipeline,
    e.run_id,
    s.step,
    null as operation,
    case e.status when 'paused' then 'the pipeline is paused' else 'no runner is connected' end as reason,
    1 as jobs,
    null as next_try_at,
    null as gives_up_at,
    0 as retries,
    case e.status when 'paused' then 'paused' else 'no_runner' end as cause
from headgate.process_executions as e
join headgate.pipelines as p using (pipeline_id)
cross join lateral (
    select n.step
    from headgate.process_steps as n
    where n.execution_id = e.execution_id
        and n.status in ('pending', 'running')
    order by n.position
    limit 1
) as s
where e.status in ('running', 'paused')
    and not exists (select from headgate.chunks as c where c.execution_id = e.execution_id)
    and not exists (
        select
        from headgate.process_steps as n
        where n.execution_id = e.execution_id
            and n.retry_at is not null
    )
    and (
        e.status = 'paused'
        or e.driver = 'headgate' and not exists (
            select
            from headgate.runners as n
            where n.last_seen_at > clock_timestamp() - interval '15 seconds'
        )
    )
union all
select
    p.name as pipeline,
    e.run_id,
    s.step,
    null as operation,
    format(
        'the step has failed and is run again: retry %s of %s%s', s.retried, s.retries,
        coalesce(', after: ' || (s.output ->> 'error'), '')
    ) as reason,
    greatest(s.failed + s.deferred, 1) as jobs,
    s.retry_at as next_try_at,
    e.deadline_at as gives_up_at,
    s.retried as retries,
    'retry' as cause
from headgate.process_steps as s
join headgate.process_executions as e using (execution_id)
join headgate.pipelines as p using (pipeline_id)
where s.retry_at is not null
union all
select
    q.pipeline,
    min(q.run_id) filter (where q.position = 1) as run_id,
    null as step,
    null as operation,
    'runs are queued: ' || q.reason as reason,
    count(*) as jobs,
    null as next_try_at,
    null as gives_up_at,
    0 as retries,
    'queued' as cause
from headgate.v_queued_runs as q
group by q.pipeline, q.reason
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
    0 as retries,
    d.reason as cause
from headgate.pipelines as p
cross join lateral (
    select n.execution_id, n.run_id
    from headgate.process_executions as n
    where n.pipeline_id = p.pipeline_id
        and n.status in ('running', 'paused')
    union
    (
        select n.execution_id, n.run_id
        from headgate.process_executions as n
        where n.pipeline_id = p.pipeline_id
        order by n.started_at desc, n.execution_id desc
        limit 1
    )
) as e
join headgate.planner_deferrals as d using (execution_id)
join headgate.operations as o using (operation_id)
left join headgate.v_deferral_reasons as f using (reason)
left join lateral (
    select s.step
    from headgate.process_steps as s
    where s.execution_id = e.execution_id
        and o.name = any (s.operations)
        and (s.group_keys is null or d.group_key = any (s.group_keys))
    order by s.position
    limit 1
) as g on true
group by p.name, e.run_id, g.step, o.name, d.reason, f.meaning;

comment on view headgate.v_waiting is
    'What waits, why and until when: parked, held up in a queue, due but not planned by its pipeline''s latest run; '
    'steps until their retry, runs that are paused or have no runner between two steps, and runs that are queued.';
comment on column headgate.v_waiting.pipeline is 'The pipeline.';
comment on column headgate.v_waiting.run_id is
    'The run in which it waits, which left it out of its plan, or which is queued first.';
comment on column headgate.v_waiting.step is 'The step; null: whole runs wait.';
comment on column headgate.v_waiting.operation is
    'The operation; null: a whole step waits, or whole runs.';
comment on column headgate.v_waiting.reason is
    'The error before a retry, a block, a limit, a pause, a runner that is gone or missing, or why it was not planned.';
comment on column headgate.v_waiting.jobs is
    'How many jobs; of queued runs: how many runs; of a step that has none: 1.';
comment on column headgate.v_waiting.next_try_at is
    'When it continues; for unplanned work, the earliest time at which a run can take it. Null: not by time alone.';
comment on column headgate.v_waiting.gives_up_at is
    'When its run stops waiting and leaves it to the next one; null: it does not give up by time.';
comment on column headgate.v_waiting.retries is
    'How often one of these jobs has been parked in a row to be called again, at most.';
comment on column headgate.v_waiting.cause is
    'The kind of reason, in a word: gone, paused, parked, pool, provider, window, reset, operation, probe, rate, '
    'no_runner, left, retry or queued; of unplanned work a reason of v_deferral_reasons.';

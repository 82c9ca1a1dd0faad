-- Work that goes on no more: steps without chunks, chunks without a step, leases that nobody takes over, pairs held by nothing.

create or replace function headgate._examine_work()
returns table (subject text, verdict text, found text, advice text, is_fixable boolean)
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select
        format('step %s of %s', s.step, s.run_id), 'fail',
        format('it runs, with nothing in flight; %s of its jobs are lost', s.planned - s.ended),
        'headgate doctor --fix ends it; what was lost is due again', true
    from headgate._stuck_steps() as s
    union all
    select
        format('step %s of %s', c.step, e.run_id), 'fail', format('%s of its chunks were never sent', count(*)),
        'headgate doctor --fix sends them', true
    from headgate._unsent_chunks() as u
    join headgate.chunks as c using (chunk_id)
    join headgate.process_executions as e using (execution_id)
    group by c.step, e.run_id
    union all
    select
        format('step %s of %s', c.step, e.run_id), 'fail', format('it is over, but %s chunks of it wait', count(*)),
        'headgate doctor --fix ends them; their units return', true
    from headgate._left_over_chunks() as l
    join headgate.chunks as c using (chunk_id)
    join headgate.process_executions as e using (execution_id)
    group by c.step, e.run_id
    union all
    select
        'queue ' || c.queue, 'warn', format('%s leases ran out, and nobody takes them over', count(*)),
        'start a runner for that queue: headgate worker', true
    from headgate._expired_leases() as x
    join headgate.chunks as c using (chunk_id)
    group by c.queue
    union all
    select
        'state', 'fail', format('%s pairs are held by chunks that are gone: they are never planned', count(*)),
        'headgate doctor --fix lets them go', true
    from headgate._orphan_holds() as h
    having count(*) > 0
    union all
    select
        format('execution %s of %s', e.run_id, p.name), 'warn', 'it has been running for more than a day, with nothing in flight',
        'headgate.finalize_execution ends it', false
    from headgate.process_executions as e
    join headgate.pipelines as p using (pipeline_id)
    where e.status = 'running'
        and e.started_at < headgate.clock() - interval '1 day'
        and not exists (select from headgate.chunks as c where c.execution_id = e.execution_id)
    union all
    select
        format('execution %s of %s', e.run_id, p.name), 'warn',
        format('its scheduler has not been heard of since %s', to_char(d.heard_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI UTC')),
        'start Airflow''s triggerer, or end it: headgate.cancel_execution', false
    from headgate.process_executions as e
    join headgate.pipelines as p using (pipeline_id)
    cross join lateral (
        select max(k.heard_at) as heard_at
        from headgate.dags as k
        where k.pipeline_id = e.pipeline_id
            and k.deployment = coalesce(e.deployment, '')
    ) as d
    where e.status in ('running', 'paused')
        and e.driver = 'airflow'
        and d.heard_at < headgate.clock() - interval '5 minutes';
$func$;

-- Steps that wait for jobs of which there are none.
create or replace function headgate._stuck_steps()
returns table (
    execution_id bigint, step text, run_id text, round integer, operations text[], planned integer, ended integer
)
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select
        s.execution_id, s.step, e.run_id, s.round, s.operations, s.planned,
        s.succeeded + s.failed + s.deferred + s.skipped
    from headgate.process_steps as s
    join headgate.process_executions as e using (execution_id)
    where s.kind = 'fan_out'
        and s.status = 'running'
        and e.status in ('running', 'paused')
        and not exists (select from headgate.chunks as c where c.execution_id = s.execution_id and c.step = s.step);
$func$;

-- Chunks of a step that runs, left behind in the plan.
create or replace function headgate._unsent_chunks()
returns table (chunk_id bigint)
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select c.chunk_id
    from headgate.chunks as c
    join headgate.process_executions as e using (execution_id)
    join headgate.process_steps as s using (execution_id, step)
    where c.state = 'planned'
        and e.status = 'running'
        and s.status = 'running'
        and s.round = c.round;
$func$;

-- Chunks that nobody holds, of a step or an execution that has ended.
create or replace function headgate._left_over_chunks()
returns table (chunk_id bigint)
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select c.chunk_id
    from headgate.chunks as c
    where c.state <> 'leased'
        and headgate._standing(c) = 'over';
$func$;

-- Leases of running executions that ran out a minute ago or more, at a provider that may be asked.
create or replace function headgate._expired_leases()
returns table (chunk_id bigint)
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select c.chunk_id
    from headgate.chunks as c
    join headgate.process_executions as e using (execution_id)
    join headgate.providers as p using (provider_id)
    cross join lateral headgate._openness(p, headgate.clock()) as o
    where c.state = 'leased'
        and c.leased_until < clock_timestamp() - interval '1 minute'
        and e.status = 'running'
        and o.is_open
        and not headgate._is_shut(coalesce(c.call_operation_id, c.operation_id), headgate.clock());
$func$;

-- Pairs that say they are in a chunk which does not exist, or does not have them.
create or replace function headgate._orphan_holds()
returns table (operation_id bigint, asset_id bigint, chunk_id bigint)
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select s.operation_id, s.asset_id, s.chunk_id
    from headgate.asset_processing_state as s
    left join headgate.chunks as c on c.chunk_id = s.chunk_id and c.operation_id = s.operation_id
    where s.chunk_id is not null
        and (c.chunk_id is null or s.asset_id <> all (c.asset_ids));
$func$;

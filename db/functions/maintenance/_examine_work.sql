-- Stuck work: steps without chunks, chunks without a step, abandoned leases, pairs held by no chunk.

create or replace function headgate._examine_work()
returns table (subject text, verdict text, found text, advice text, is_fixable boolean)
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select
        format('step %s of %s', s.step, s.run_id), 'fail',
        format('it is running with nothing in flight: %s jobs are lost', s.planned - s.ended),
        'headgate doctor --fix ends it; the lost jobs become due again', true
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
        format('step %s of %s', c.step, e.run_id), 'fail', format('it has ended, but %s of its chunks wait', count(*)),
        'headgate doctor --fix ends them; their units return', true
    from headgate._left_over_chunks() as l
    join headgate.chunks as c using (chunk_id)
    join headgate.process_executions as e using (execution_id)
    group by c.step, e.run_id
    union all
    select
        'queue ' || c.queue, 'warn', format('%s leases have expired and no runner takes them over', count(*)),
        'start a runner for that queue: headgate worker', true
    from headgate._expired_leases() as x
    join headgate.chunks as c using (chunk_id)
    group by c.queue
    union all
    select
        'state', 'fail',
        format('%s asset needs are held by chunks that no longer exist, so they are never planned', count(*)),
        'headgate doctor --fix releases them', true
    from headgate._orphan_holds() as h
    having count(*) > 0
    union all
    select
        format('execution %s of %s', e.run_id, p.name), 'warn',
        'it has been running for more than a day, with nothing in flight',
        'headgate.finalize_execution ends it', false
    from headgate.process_executions as e
    join headgate.pipelines as p using (pipeline_id)
    where e.status = 'running'
        and e.started_at < headgate.clock() - interval '1 day'
        and not exists (select from headgate.chunks as c where c.execution_id = e.execution_id)
    union all
    select
        format('execution %s of %s', e.run_id, p.name), 'warn',
        format(
            'no word from its scheduler since %s',
            to_char(d.heard_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI UTC')
        ),
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

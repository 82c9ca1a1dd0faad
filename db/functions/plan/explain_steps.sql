-- What a pipeline's runs and steps, not their jobs, wait for or will leave out: runs that are queued, the open run past
-- its deadline, steps until their retry, steps whose condition is false as far as is known. Changes nothing.

create or replace function headgate.explain_steps(
    p_pipeline text,
    p_at timestamptz default null,
    p_params jsonb default '{}'
)
returns table (run_id text, step text, decision text, reason text, run_at timestamptz)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_at constant timestamptz := coalesce(p_at, headgate.clock());
    v_pipeline constant headgate.pipelines := headgate._pipeline(p_pipeline);
    v_params constant jsonb := (headgate._what_if_options(v_pipeline, p_params)).params;
begin
    return query
    select
        e.run_id, null::text, 'skip',
        format('the run is over its deadline since %s: what has not ended fails', e.deadline_at at time zone 'UTC'),
        null::timestamptz
    from headgate.process_executions as e
    where e.pipeline_id = v_pipeline.pipeline_id
        and e.status in ('running', 'paused')
        and e.deadline_at <= v_at
    union all
    select
        e.run_id, s.step, 'defer', format('the step has failed and is run again: retry %s of %s', s.retried, s.retries),
        s.retry_at
    from headgate.process_executions as e
    join headgate.process_steps as s using (execution_id)
    where e.pipeline_id = v_pipeline.pipeline_id
        and e.status in ('running', 'paused')
        and s.retry_at is not null
    union all
    select c.run_id, c.step, 'skip', format('its condition is false: %s', c.condition), null
    from headgate._false_conditions(v_pipeline, v_params) as c
    union all
    select q.run_id, null, 'defer', format('the run is queued, number %s: %s', q.position, q.reason), null
    from (
        select v.* from headgate.v_queued_runs as v where v.pipeline = p_pipeline order by v.position limit 100
    ) as q;
end;
$func$;

comment on function headgate.explain_steps(text, timestamptz, jsonb) is
    'Which runs and steps of a pipeline wait or will be skipped, why, and until when; of queued runs the first 100.';

-- Of the open run: steps that have not begun, once those that the condition reads have ended. Without one: of a run
-- with these parameters, conditions over them alone.
create or replace function headgate._false_conditions(
    p_pipeline headgate.pipelines,
    p_params jsonb
)
returns table (run_id text, step text, condition jsonpath)
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    with open as materialized (
        select e.execution_id, e.run_id
        from headgate.process_executions as e
        where e.pipeline_id = p_pipeline.pipeline_id
            and e.status in ('running', 'paused')
        limit 1
    )
    select o.run_id, s.step, s.condition
    from open as o
    join headgate.process_steps as s using (execution_id)
    where s.condition is not null
        and s.status = 'pending'
        and s.retry_at is null
        and not exists (
            select
            from headgate.process_steps as u
            where u.execution_id = o.execution_id
                and u.status in ('pending', 'running')
                and strpos(s.condition::text, format('$."steps".%s', to_json(u.step))) > 0
        )
        and not jsonb_path_match(headgate._run_document(o.execution_id), s.condition, silent => true)
    union all
    select null, s.step, s.condition
    from headgate.pipeline_steps as s
    where s.pipeline_id = p_pipeline.pipeline_id
        and s.condition::text !~ '\$\."(steps|run)"'
        and not exists (select from open)
        and not jsonb_path_match(jsonb_build_object('params', p_params), s.condition, silent => true);
$func$;

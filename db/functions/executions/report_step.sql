-- How a step that calls a function went, told by the scheduler that called it. What the plan does not know is left alone:
-- a DAG may have tasks of its own.

create or replace function headgate.report_step(
    p_pipeline text,
    p_run_id text,
    p_step text,
    p_status text,
    p_output jsonb default null
)
returns table (step text, status text)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $func$
#variable_conflict use_column
declare
    v_now constant timestamptz := headgate.clock();
begin
    if coalesce(p_status, '') not in ('succeeded', 'failed') then
        perform headgate._raise(
            'HG008', format('a step cannot be reported as %s', coalesce(quote_literal(p_status), 'null')),
            'succeeded or failed'
        );
    end if;
    perform
    from headgate.process_executions as e
    join headgate.pipelines as p using (pipeline_id)
    where p.name = p_pipeline
        and e.run_id = p_run_id
    for update of e;

    return query
    update headgate.process_steps as s
    set status = p_status,
        output = p_output,
        started_at = coalesce(s.started_at, v_now),
        finished_at = v_now
    from headgate.process_executions as e
    join headgate.pipelines as p using (pipeline_id)
    join headgate.pipeline_steps as g using (pipeline_id)
    where s.execution_id = e.execution_id
        and g.step = s.step
        and p.name = p_pipeline
        and e.run_id = p_run_id
        and e.driver = 'airflow'
        and e.status = 'running'
        and s.step = p_step
        and g.kind = 'function'
        and g.function <> 'headgate.finalize_execution'
    returning s.step, s.status;
end;
$func$;

comment on function headgate.report_step(text, text, text, text, jsonb) is
    'Tell the plan how a function step ended that Airflow called; no row for a step the plan does not have.';

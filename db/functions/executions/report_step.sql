-- The scheduler that called a function step reports its outcome. Tasks unknown to the plan are ignored: a DAG may have
-- tasks of its own. A cleared task that runs again reopens an ended execution.

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
    v_execution headgate.process_executions;
    v_step headgate.process_steps;
begin
    if coalesce(p_status, '') not in ('succeeded', 'failed') then
        perform headgate._raise(
            'HG008', format('a step cannot be reported %s', coalesce(quote_literal(p_status), 'null')),
            'succeeded or failed'
        );
    end if;
    select e.* into v_execution
    from headgate.process_executions as e
    join headgate.pipelines as p using (pipeline_id)
    where p.name = p_pipeline
        and e.run_id = p_run_id
        and e.driver = 'airflow'
        and e.status <> 'paused'
    for update of e;
    select s.* into v_step
    from headgate.process_steps as s
    where s.execution_id = v_execution.execution_id
        and s.step = p_step
        and s.kind = 'function'
        and s.function <> 'headgate.finalize_execution'
        and (
            v_execution.status = 'running'
            or v_execution.status <> 'cancelled' and s.status in ('succeeded', 'failed')  -- it may run again
            or s.reopened_from is not null
        );
    if not found then
        return;
    end if;

    if p_status = 'failed' then
        v_step.status := p_status;
        v_step.output := p_output;
    else
        select r.status, r.output into v_step.status, v_step.output
        from headgate._step_result(v_step.function, p_output) as r;
    end if;
    update headgate.process_steps as s
    set status = v_step.status, output = v_step.output, skip_reason = null, is_marked = false, reopened_from = null,
        started_at = coalesce(s.started_at, v_now),
        finished_at = v_now
    where s.execution_id = v_execution.execution_id
        and s.step = p_step;
    if v_execution.finished_at is not null then
        perform headgate._go_on_behind(v_execution, p_step, v_now);
    end if;
    perform headgate._end_reopened(v_execution.execution_id, v_now);
    return query select v_step.step, v_step.status;
end;
$func$;

comment on function headgate.report_step(text, text, text, text, jsonb) is
    'Report the outcome of a function step that Airflow called, with its rows; returns the step''s status, or no row '
    'for a step that the plan does not have.';

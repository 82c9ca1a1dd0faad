-- The scheduler calls this before a function step: a step whose condition is false is skipped. No row: call the
-- function. When a failed step is tried again, its condition is not evaluated again, as with driver headgate.

create or replace function headgate.begin_step(
    p_pipeline text,
    p_run_id text,
    p_step text
)
returns table (step text, status text, reason text)
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
    select s.* into v_step
    from headgate.process_steps as s
    join headgate.process_executions as e using (execution_id)
    join headgate.pipelines as p using (pipeline_id)
    where p.name = p_pipeline
        and e.run_id = p_run_id
        and e.driver = 'airflow'
        and e.status <> 'paused'
        and s.step = p_step
        and s.kind = 'function'
        and s.condition is not null
        and s.status <> 'failed';
    if not found or headgate._meets_condition(v_step) then
        return;
    end if;

    select e.* into v_execution
    from headgate.process_executions as e
    where e.execution_id = v_step.execution_id
    for update;
    update headgate.process_steps as s
    set status = 'skipped', skip_reason = 'condition', output = null, is_marked = false, reopened_from = null,
        started_at = coalesce(s.started_at, v_now), finished_at = v_now
    where s.execution_id = v_step.execution_id
        and s.step = p_step
        and s.status = v_step.status;
    if v_execution.finished_at is not null then
        perform headgate._go_on_behind(v_execution, p_step, v_now);
    end if;
    perform headgate._end_reopened(v_step.execution_id, v_now);
    return query select p_step, 'skipped', format('its condition is false: %s', v_step.condition);
end;
$func$;

comment on function headgate.begin_step(text, text, text) is
    'Before Airflow calls a function step: skip it, with the reason, if its condition is false; no row: call it.';

create or replace function headgate.skip_step(
    p_pipeline text,
    p_run_id text,
    p_step text
)
returns table (cancelled integer)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_now constant timestamptz := headgate.clock();
    v_execution headgate.process_executions;
    v_definition headgate.pipeline_steps;
begin
    v_execution := headgate._stopped_execution(p_pipeline, p_run_id);
    v_definition := headgate._step(v_execution, p_step);
    cancelled := headgate._cancel_waiting(v_execution.execution_id, v_definition.step, 'the step was skipped', v_now);
    update headgate.process_steps as s
    set status = 'skipped', started_at = coalesce(s.started_at, v_now), finished_at = v_now
    where s.execution_id = v_execution.execution_id
        and s.step = v_definition.step
        and s.status in ('pending', 'running');
    if found then
        perform headgate._announce(v_execution.execution_id, v_definition.step, 'skipped');
    end if;
    perform headgate._record_action(
        'skip_step', jsonb_build_object('pipeline', p_pipeline, 'run_id', p_run_id, 'step', p_step),
        jsonb_build_object('cancelled', cancelled)
    );
    return next;
end;
$func$;

comment on function headgate.skip_step(text, text, text) is
    'Leave a step out: what of it has not started is cancelled and its units return; returns how many jobs.';

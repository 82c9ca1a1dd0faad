-- A succeeded step is not changed.

create or replace function headgate._mark_step(
    p_pipeline text,
    p_run_id text,
    p_step text,
    p_status text,
    p_skip_reason text default 'operator',
    out cancelled integer,
    out reopened integer
)
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_now constant timestamptz := headgate.clock();
    v_execution headgate.process_executions;
    v_step headgate.process_steps;
begin
    cancelled := 0;
    reopened := 0;
    v_execution := headgate._stopped_execution(p_pipeline, p_run_id);
    v_step := headgate._step(v_execution, p_step);
    if v_execution.status = 'cancelled' then
        perform headgate._check_open(v_execution);
    elsif v_step.status = 'succeeded'
        or v_step.is_marked and v_step.status = p_status and coalesce(v_step.skip_reason, p_skip_reason) = p_skip_reason
    then
        return;
    end if;

    cancelled := headgate._cancel_waiting(
        v_execution.execution_id, p_step, format('the step was marked as %s', p_status), v_now
    );
    update headgate.process_steps as s
    set status = p_status, is_marked = true, skip_reason = case when p_status = 'skipped' then p_skip_reason end,
        is_rerun = false,
        reopened_from = null, retry_at = null,
        started_at = coalesce(s.started_at, v_now), finished_at = v_now
    where s.execution_id = v_execution.execution_id
        and s.step = p_step;
    perform headgate._announce(v_execution.execution_id);
    if p_status <> 'failed' then
        reopened := headgate._go_on_behind(v_execution, p_step, v_now);
    elsif v_execution.finished_at is not null then
        perform headgate._close_execution(v_execution.execution_id, v_now);
    end if;
    perform headgate._end_reopened(v_execution.execution_id, v_now);
end;
$func$;

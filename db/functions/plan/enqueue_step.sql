-- Send a step's planned chunks; plan first if nothing was planned. A later attempt runs what did not succeed.

create or replace function headgate.enqueue_step(
    p_pipeline text,
    p_run_id text,
    p_step text,
    p_attempt integer default 1
)
returns table (step text, status text, planned integer, sent integer)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_now constant timestamptz := headgate.clock();
    v_execution constant headgate.process_executions := headgate._execution(p_pipeline, p_run_id);
    v_step headgate.process_steps := headgate._step(v_execution, p_step);
    v_is_retry boolean;
begin
    if v_step.kind <> 'fan_out' then
        perform headgate._raise(
            'HG008', format('step %s calls a function', p_step), format('call %s instead', v_step.function)
        );
    end if;
    perform headgate._lock(format('step %s %s', v_execution.pipeline_id, p_step));
    v_step := headgate._step(v_execution, p_step);
    v_is_retry := v_step.retry_at is not null;
    if v_is_retry or v_step.is_rerun and v_step.planned_at is not null then
        perform headgate._enter_planning(v_execution, p_step, v_now);
        perform headgate._open_rounds(v_execution, array[p_step], true);
        v_step := headgate._step(v_execution, p_step);
        perform headgate._raise(
            'HG008', format('step %s cannot be run again: none of its jobs can be planned', p_step),
            'headgate.explain_quota says what may be spent; a job that another run has done since is done'
        )
        where v_step.is_rerun;
    elsif v_step.status not in ('pending', 'running')
        and (p_attempt > v_step.attempt or v_step.reopened_from is not null)
    then
        perform headgate._enter_planning(v_execution, p_step, v_now);
        perform headgate._check_open(e)
        from headgate.process_executions as e
        where e.execution_id = v_execution.execution_id
            and e.status = 'cancelled'
            and v_step.reopened_from is null;
        perform headgate._open_rounds(v_execution, array[p_step]);
        v_step := headgate._step(v_execution, p_step);
    end if;
    if v_step.status = 'pending' and not v_is_retry and not headgate._meets_condition(v_step) then
        perform headgate._leave_step(v_execution.execution_id, p_step, 'condition', v_now);
    elsif v_step.status in ('pending', 'running') and v_step.planned_at is null then
        perform headgate._write_plan(v_execution, p_step);
    elsif v_step.status in ('pending', 'running') then
        perform headgate._check_open(headgate._execution(p_pipeline, p_run_id));
    end if;

    sent := headgate._send_step(v_execution, p_step, p_attempt, v_now);
    perform headgate._end_reopened(v_execution.execution_id, v_now);
    select s.step, s.status, s.planned
    into step, status, planned
    from headgate.process_steps as s
    where s.execution_id = v_execution.execution_id
        and s.step = p_step;
    return next;
end;
$func$;

comment on function headgate.enqueue_step(text, text, text, integer) is
    'Start a step: send its chunks to the queue. A larger p_attempt runs what failed, was deferred or cancelled again, '
    'also in an execution that has ended: that goes on, and ends again by itself.';

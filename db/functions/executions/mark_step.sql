-- An operator says how a step ended: what of it has not started is cancelled, and what depends on it goes on.

create or replace function headgate.mark_step(
    p_pipeline text,
    p_run_id text,
    p_step text,
    p_status text
)
returns table (cancelled integer, reopened integer)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $func$
begin
    if coalesce(p_status, '') not in ('succeeded', 'skipped', 'failed') then
        perform headgate._raise(
            'HG008', format('a step cannot be marked as %s', coalesce(quote_literal(p_status), 'null')),
            'succeeded, skipped or failed'
        );
    end if;
    select m.cancelled, m.reopened into cancelled, reopened
    from headgate._mark_step(p_pipeline, p_run_id, p_step, p_status) as m;
    perform headgate._record_action(
        'mark_step', jsonb_build_object('pipeline', p_pipeline, 'run_id', p_run_id, 'step', p_step, 'status', p_status),
        jsonb_build_object('cancelled', cancelled, 'reopened', reopened)
    );
    return next;
end;
$func$;

comment on function headgate.mark_step(text, text, text, text) is
    'Say that a step has succeeded, has failed, or is skipped: what of it has not started is cancelled, and what was '
    'skipped behind it runs where that allows it; returns jobs and steps.';

-- A step that succeeded stays as it is.
create or replace function headgate._mark_step(
    p_pipeline text,
    p_run_id text,
    p_step text,
    p_status text,
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
    elsif v_step.status = 'succeeded' or v_step.is_marked and v_step.status = p_status then
        return;
    end if;

    cancelled := headgate._cancel_waiting(
        v_execution.execution_id, p_step, format('the step was marked as %s', p_status), v_now
    );
    update headgate.process_steps as s
    set status = p_status, is_marked = true, skip_reason = case when p_status = 'skipped' then 'operator' end,
        reopened_from = null,
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

-- A step has ended otherwise than when what is behind it was decided: that is decided anew. An execution that had ended
-- goes on with it, or ends again, as its steps say now. Returns the steps that run again.
create or replace function headgate._go_on_behind(
    p_execution headgate.process_executions,
    p_step text,
    p_now timestamptz
)
returns integer
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_reopened constant integer := headgate._reopen_behind(p_execution, array[p_step]);
begin
    if p_execution.finished_at is not null and v_reopened = 0 then
        perform headgate._close_execution(p_execution.execution_id, p_now);
    elsif p_execution.finished_at is not null then
        update headgate.process_executions as e
        set status = 'running', finished_at = null, reopened_at = p_now
        where e.execution_id = p_execution.execution_id;
    end if;
    return v_reopened;
end;
$func$;

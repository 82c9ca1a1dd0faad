-- A running step ends with its last job, or is planned once more if its jobs may have made more work due. A deferral by
-- an internal fault counts as a failure. A failed step with retries left waits for the next one. The caller holds a
-- lock on the step's row.

create or replace function headgate._close_step(
    p_step headgate.process_steps,
    p_now timestamptz
)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_status text;
    v_retry_at timestamptz;
begin
    if p_step.status <> 'running'
        or p_step.planned_at is null and not p_step.is_late  -- it waits for another execution
        or p_step.planned > p_step.succeeded + p_step.failed + p_step.deferred + p_step.skipped
    then
        return;
    elsif p_step.wave < p_step.max_waves and p_step.planned > p_step.planned_before and not p_step.is_late then
        perform headgate._open_wave(p_step);
        return;
    end if;

    v_status := case
        when p_step.is_late then 'failed'
        when p_step.failed + p_step.deferred_by_internal_fault > p_step.max_failed_share * p_step.planned then 'failed'
        when p_step.succeeded = 0 and p_step.deferred_by_fault > 0 then 'failed'
        when p_step.succeeded + p_step.skipped = 0 and p_step.failed > 0 then 'failed'
        when p_step.is_left_out then 'failed'
        else 'succeeded'
    end;
    v_retry_at := case when v_status = 'failed' then headgate._retry_at(p_step, p_now) end;
    update headgate.process_steps as s
    set status = case when v_retry_at is null then v_status else 'pending' end,
        retry_at = v_retry_at,
        retried = s.retried + case when v_retry_at is null then 0 else 1 end,
        finished_at = case when v_retry_at is null then p_now end
    where s.execution_id = p_step.execution_id
        and s.step = p_step.step;

    perform headgate._resolve_fault(p_step, p_now);
    perform headgate._announce(p_step.execution_id);
end;
$func$;

-- The next runner that advances the execution plans it, as it does for steps that wait for another execution, so that a
-- completion stays short.
create or replace function headgate._open_wave(p_step headgate.process_steps)
returns void
language sql
volatile
set search_path = pg_catalog, pg_temp
as $func$
    update headgate.process_steps as s
    set wave = s.wave + 1,
        planned_before = s.planned,
        planned_at = null
    where s.execution_id = p_step.execution_id
        and s.step = p_step.step;

    select headgate._announce(p_step.execution_id);
$func$;

-- A step that did something and ended without such a fault shows that the cause is gone.
create or replace function headgate._resolve_fault(
    p_step headgate.process_steps,
    p_now timestamptz
)
returns void
language sql
volatile
set search_path = pg_catalog, pg_temp
as $func$
    select headgate._set_alert(headgate._step_subject(p.name, p_step.step), null, null, false, p_now)
    from headgate.process_executions as e
    join headgate.pipelines as p using (pipeline_id)
    where e.execution_id = p_step.execution_id
        and p_step.succeeded > 0
        and p_step.deferred_by_fault = 0;
$func$;

-- A running step ends with its last job. A deferral by an internal fault counts as a failure. The caller holds the
-- step's row.

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
begin
    if p_step.status <> 'running'
        or p_step.planned > p_step.succeeded + p_step.failed + p_step.deferred + p_step.skipped
    then
        return;
    end if;

    update headgate.process_steps as s
    set status = case
            when s.failed + s.deferred_by_internal_fault > s.max_failed_share * s.planned then 'failed'
            when s.succeeded = 0 and s.failed + s.deferred_by_fault > 0 then 'failed'
            when s.is_left_out then 'failed'
            else 'succeeded'
        end,
        finished_at = p_now
    where s.execution_id = p_step.execution_id
        and s.step = p_step.step
    returning s.status into v_status;

    perform headgate._resolve_fault(p_step, p_now);
    perform headgate._announce(p_step.execution_id);
end;
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

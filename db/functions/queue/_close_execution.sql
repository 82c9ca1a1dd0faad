-- End an execution; past its deadline it ends as failed. The caller holds it.

create or replace function headgate._close_execution(
    p_execution_id bigint,
    p_now timestamptz,
    p_is_late boolean default false
)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_step headgate.process_steps;
    v_status text;
begin
    perform headgate._take_counts(p_execution_id);
    for v_step in  -- no further wave
        update headgate.process_steps as s
        set max_waves = s.wave, planned_at = p_now
        where s.execution_id = p_execution_id
            and s.status = 'running'
            and s.wave > 1
            and s.planned_at is null
        returning s.*
    loop
        perform headgate._close_step(v_step, p_now);
    end loop;
    -- The calling step has done its work; other steps that never ran are skipped, or stay as they had ended.
    update headgate.process_steps as s
    set status = x.status,
        skip_reason = case when x.status = 'skipped' then 'finalized' end,
        retry_at = null,
        is_rerun = false,
        started_at = coalesce(s.started_at, p_now),
        finished_at = p_now
    from (
        select
            f.step,
            case
                when f.function = 'headgate.finalize_execution' then 'succeeded'
                when f.retry_at is not null then 'failed'
                else coalesce(f.reopened_from, 'skipped')
            end as status
        from headgate.process_steps as f
        where f.execution_id = p_execution_id
    ) as x
    where s.execution_id = p_execution_id
        and s.step = x.step
        and s.status in ('pending', 'running');

    update headgate.process_executions as e
    set status = case when p_is_late then 'failed' else headgate._status_of_steps(p_execution_id) end,
        finished_at = p_now,
        reopened_at = null,
        planned = t.planned,
        succeeded = t.succeeded,
        failed = t.failed,
        deferred = t.deferred,
        skipped = t.skipped,
        units = t.units
    from headgate._totals(p_execution_id) as t
    where e.execution_id = p_execution_id
    returning e.status into v_status;
    perform headgate._announce(p_execution_id);
    perform headgate._set_alert(headgate._deadline_subject(p.name), null, null, false, p_now)
    from headgate.process_executions as e
    join headgate.pipelines as p using (pipeline_id)
    where e.execution_id = p_execution_id
        and e.deadline_at is not null
        and not p_is_late;
    perform headgate._alert_changes(p_now);
    perform headgate._queue_followers(p_execution_id, p_now) where v_status = 'succeeded';
    -- The end of a run wakes the next one while orders wait.
    perform pg_notify('headgate_orders', '')
    from headgate.process_executions as e
    where e.execution_id = p_execution_id
        and exists (select from headgate.orders as o where o.pipeline_id = e.pipeline_id and o.taken_at is null);
end;
$func$;

-- The status of an ended execution, from its steps. Tolerated failures do not count; cancelled steps that were not run
-- again count as not done.
create or replace function headgate._status_of_steps(p_execution_id bigint)
returns text
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select case
        when bool_or(s.status = 'failed' and not s.may_fail) then 'failed'
        when bool_or(s.status = 'cancelled') then 'cancelled'
        else 'succeeded'
    end
    from headgate.process_steps as s
    where s.execution_id = p_execution_id;
$func$;

-- Steps behind reopened ones are decided again: those skipped or cancelled because of them and, if headgate drives the
-- execution, functions that have run. Operators' decisions stay. Steps that a scheduler does not run again end as
-- before. Returns the number of steps.

create or replace function headgate._reopen_behind(
    p_execution headgate.process_executions,
    p_steps text[]
)
returns integer
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_reopened integer;
begin
    update headgate.process_steps as s
    set status = 'pending',
        round = s.round
            + case when s.kind = 'function' or s.planned_at is not null and not w.is_rerun then 1 else 0 end,
        planned_at = case when w.is_rerun then s.planned_at end,
        wave = 1,
        planned_before = 0,
        is_rerun = w.is_rerun,
        skip_reason = null,
        is_left_out = false,
        retried = 0,
        output = null,
        started_at = null,
        finished_at = null,
        reopened_from = case when p_execution.driver = 'airflow' then s.status end
    from headgate._behind(p_execution.execution_id, p_steps) as b
    join headgate.process_steps as o on o.execution_id = p_execution.execution_id and o.step = b.step
    join headgate._step_counters as n on n.execution_id = o.execution_id and n.step = o.step
    cross join lateral (  -- it was to run again as a whole, and was skipped instead
        select o.status = 'skipped' and o.planned_at is not null and n.succeeded > 0 as is_rerun
    ) as w
    where s.execution_id = p_execution.execution_id
        and s.step = b.step
        and not s.is_marked
        and (
            s.status in ('skipped', 'cancelled')
            or p_execution.driver = 'headgate' and s.kind = 'function' and s.status in ('succeeded', 'failed')
        );
    get diagnostics v_reopened = row_count;
    return v_reopened;
end;
$func$;

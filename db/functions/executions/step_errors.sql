create or replace function headgate.step_errors(
    p_pipeline text,
    p_run_id text,
    p_step text,
    p_limit integer default 10
)
returns table (asset text, operation text, status text, error text)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_execution constant headgate.process_executions := headgate._execution(p_pipeline, p_run_id);
begin
    return query
    select a.code, o.name, e.status, e.error
    from (
        select d.asset_id, d.operation_id, d.status, coalesce(d.error, d.reason) as error, d.ended_at
        from headgate.asset_processing_details as d
        where d.execution_id = v_execution.execution_id
            and d.step = p_step
            and d.ended_at >= v_execution.started_at
            and (d.status = 'failed' or headgate._is_fault(d.reason))
        union all
        select s.asset_id, s.operation_id, 'left out', s.last_error, s.last_failed_at
        from headgate.planner_deferrals as d
        cross join unnest(d.asset_ids) as u (asset_id)
        join headgate.asset_processing_state as s on s.operation_id = d.operation_id and s.asset_id = u.asset_id
        where d.execution_id = v_execution.execution_id
            and d.reason = 'failures'
            and headgate._is_left_out(s)
            and headgate._step_of(
                v_execution.pipeline_id, headgate._plan_options(v_execution), d.operation_id, d.group_key
            ) = p_step
    ) as e
    join headgate.assets as a using (asset_id)
    join headgate.operations as o using (operation_id)
    order by e.status <> 'failed', e.ended_at, a.code
    limit p_limit;
end;
$func$;

comment on function headgate.step_errors(text, text, text, integer) is
    'The first jobs of a step that failed, were deferred by a fault or were left out after failures, with their '
    'errors.';

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
    select a.code, o.name, d.status, coalesce(d.error, d.reason)
    from headgate.asset_processing_details as d
    join headgate.assets as a using (asset_id)
    join headgate.operations as o using (operation_id)
    where d.execution_id = v_execution.execution_id
        and d.step = p_step
        and d.ended_at >= v_execution.started_at
        and (d.status = 'failed' or headgate._is_fault(d.reason))
    order by d.status <> 'failed', d.ended_at, a.code
    limit p_limit;
end;
$func$;

comment on function headgate.step_errors(text, text, text, integer) is
    'The first jobs of a step that failed, or were deferred by somebody''s fault, with what went wrong.';

create or replace function headgate.discover_delta(
    p_pipeline text,
    p_run_id text
)
returns table (operation text, group_key text, due bigint, units bigint, oldest_due_at timestamptz)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_execution constant headgate.process_executions := headgate._execution(p_pipeline, p_run_id);
begin
    return query
    select
        o.name, c.group_key, sum(cardinality(c.asset_ids))::bigint, sum(cardinality(c.asset_ids) * o.units)::bigint,
        min(c.oldest_due_at)
    from headgate._candidates(
        v_execution.pipeline_id, headgate._plan_options(v_execution), headgate.clock()
    ) as c
    join headgate.operations as o using (operation_id)
    group by o.operation_id, o.name, c.group_key
    order by o.operation_id, c.group_key;
end;
$func$;

comment on function headgate.discover_delta(text, text) is
    'What is due now within the run''s parameters, per operation and group, before any budget.';

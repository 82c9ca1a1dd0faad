-- The results of an execution by group, for consumers that a scheduler triggers at its end. Sessions are the latest
-- that the data of its jobs reaches now.

create or replace function headgate.execution_groups(
    p_pipeline text,
    p_run_id text
)
returns table (
    execution_id bigint, universe text, group_key text, succeeded integer, records bigint, first_session date,
    last_session date
)
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
        v_execution.execution_id, a.universe, a.group_key, count(*)::integer, sum(d.records)::bigint,
        min((s.watermark at time zone 'UTC')::date), max((s.watermark at time zone 'UTC')::date)
    from headgate.asset_processing_details as d
    join headgate.assets as a using (asset_id)
    left join headgate.asset_processing_state as s using (operation_id, asset_id)
    where d.execution_id = v_execution.execution_id
        and d.ended_at >= v_execution.started_at
        and d.status = 'success'
    group by a.universe, a.group_key
    order by a.universe, a.group_key;
end;
$func$;

comment on function headgate.execution_groups(text, text) is
    'Groups in which jobs of an execution succeeded, with rows written and the latest sessions of their data.';

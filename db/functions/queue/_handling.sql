-- What a runner needs to run a chunk's handler: its input function, its limits, and the row type it returns.

create or replace function headgate._handling(
    p_chunk headgate.chunks,
    p_operation headgate.operations,
    p_now timestamptz
)
returns jsonb
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select jsonb_build_object(
        'context', headgate._context(p_chunk, p_operation, p_now),
        'input', p_operation.input_function,
        'input_format', p_operation.input_format,
        'timeout_seconds', extract(epoch from p_operation.timeout),
        'max_memory', p_operation.max_memory,
        'environment', case
            when p_operation.universe <> all (headgate._outbox()) then p_operation.handler_environment
            else p_operation.handler_environment || array(
                select distinct c.secret_name from headgate.channels as c where c.secret_name is not null order by 1
            )
        end,
        'codes', j.codes,
        'watermarks', j.watermarks,
        'rows', headgate._row_shape(p_operation.ingest_function),
        'options', p_operation.handler_options,
        'stage', case when p_operation.stage is not null then headgate._stage_columns(p_operation) end
    ) || case when p_operation.store is not null then headgate._storing(p_chunk, p_operation) else '{}' end
    from (
        select
            jsonb_agg(a.code order by u.nth) as codes,
            jsonb_agg(s.watermark at time zone 'UTC' order by u.nth) as watermarks
        from unnest(p_chunk.asset_ids) with ordinality as u (asset_id, nth)
        join headgate.assets as a using (asset_id)
        join headgate.asset_processing_state as s
            on s.operation_id = p_chunk.operation_id and s.asset_id = u.asset_id
    ) as j;
$func$;

-- The store for its files, and the name of each asset's file: a text, or {"refused": reason}.
create or replace function headgate._storing(
    p_chunk headgate.chunks,
    p_operation headgate.operations
)
returns jsonb
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select jsonb_build_object(
        'store', (select to_jsonb(s) from headgate.stores as s where s.name = p_operation.store),
        'names', jsonb_agg(headgate._artifact_name(p_operation.artifact_name, a, t, d.params) order by u.nth)
    )
    from (
        select e.params || jsonb_build_object('?run', headgate._run_object(e))
            || headgate._outputs_of(e.execution_id, headgate._named_steps(p_operation, p)) as params
        from headgate.process_executions as e
        join headgate.providers as p on p.provider_id = p_operation.provider_id
        where e.execution_id = p_chunk.execution_id
    ) as d
    cross join unnest(p_chunk.asset_ids) with ordinality as u (asset_id, nth)
    join headgate.assets as a using (asset_id)
    join headgate.asset_processing_state as t
        on t.operation_id = p_chunk.operation_id and t.asset_id = u.asset_id;
$func$;

create or replace function headgate._artifact_name(
    p_template text,
    p_asset headgate.assets,
    p_state headgate.asset_processing_state,
    p_params jsonb
)
returns jsonb
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $func$
begin
    return to_jsonb(case when p_template is not null then headgate._render(p_template, p_asset, p_state, p_params) end);
exception
    when sqlstate 'HG017' then
        return jsonb_build_object('refused', sqlerrm);
end;
$func$;

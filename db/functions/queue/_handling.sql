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
        'timeout_seconds', extract(epoch from p_operation.timeout),
        'max_memory', p_operation.max_memory,
        'environment', p_operation.handler_environment,
        'codes', j.codes,
        'watermarks', j.watermarks,
        'rows', headgate._row_shape(p_operation.ingest_function)
    )
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

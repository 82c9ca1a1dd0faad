-- What a runner needs to run a chunk's handler: where its input comes from, its limits, and the shape of the rows it returns.

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

-- What every ingest and input function is told of the work.
create or replace function headgate._context(
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
        'pipeline', p.name, 'run_id', e.run_id, 'step', p_chunk.step, 'operation', p_operation.name,
        'group_key', p_chunk.group_key, 'params', e.params, 'now', p_now, 'run', headgate._run_object(e)
    )
    from headgate.process_executions as e
    join headgate.pipelines as p using (pipeline_id)
    where e.execution_id = p_chunk.execution_id;
$func$;

-- The composite type of the rows an ingest function takes, as its binary form needs it: oids, and the columns in order.
create or replace function headgate._row_shape(p_function text)
returns jsonb
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select jsonb_build_object(
        'array_oid', t.typarray::bigint,
        'oid', t.oid::bigint,
        'columns', (
            select jsonb_agg(jsonb_build_array(a.attname, a.atttypid::bigint) order by a.attnum)
            from pg_attribute as a
            where a.attrelid = t.typrelid
                and a.attnum > 0
                and not a.attisdropped
        )
    )
    from pg_proc as c
    join pg_type as t on t.typarray = c.proargtypes[2]
    where c.oid = to_regproc(p_function)
        and t.typtype = 'c';
$func$;

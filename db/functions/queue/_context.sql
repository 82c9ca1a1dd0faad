-- The context passed to every ingest and input function.

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
    ) || case
        when p_operation.stage is not null
            then jsonb_build_object('chunk_id', p_chunk.chunk_id, 'lease_no', p_chunk.lease_no)
        else '{}'
    end
    from headgate.process_executions as e
    join headgate.pipelines as p using (pipeline_id)
    where e.execution_id = p_chunk.execution_id;
$func$;

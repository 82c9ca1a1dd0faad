-- Write the rows of the files that successful jobs have put into their operation's store. p_files is an array of
-- {asset_id, name, key, sha256, bytes, rows, media_type}. A file that already existed belongs to this run from now on.

create or replace function headgate._keep_artifacts(
    p_chunk headgate.chunks,
    p_operation headgate.operations,
    p_files jsonb,
    p_job_results headgate.job_result[],
    p_now timestamptz
)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
begin
    if p_operation.store is null then
        perform headgate._raise(
            'HG008', format('operation %s has no store for files', p_operation.name), 'declare it with store => ''...'''
        );
    end if;
    perform from headgate.stores as s where s.name = p_operation.store for key share;
    if exists (
        select
        from jsonb_array_elements(p_files) as f (file)
        join headgate.removed_keys as r on r.store = p_operation.store and r.key = f.file ->> 'key'
        where r.removed_at > p_now - interval '1 hour'
    ) then
        perform headgate._raise(
            '55006', format('a file of operation %s is just being removed from its store', p_operation.name),
            'the job is repeated, and puts it again'
        );
    end if;
    insert into headgate.artifacts as a (
        store, name, key, sha256, bytes, rows, media_type, execution_id, step, operation_id, asset_id, created_at,
        expires_at
    )
    select distinct on (f.name, f.sha256)
        p_operation.store, f.name, f.key, f.sha256, f.bytes, f.rows, f.media_type, p_chunk.execution_id, p_chunk.step,
        p_operation.operation_id, f.asset_id, p_now, p_now + p_operation.keep_files
    from jsonb_populate_recordset(null::headgate.artifacts, p_files) as f
    join unnest(p_job_results) as r on r.asset_id = f.asset_id and r.result = 'success'
    order by f.name, f.sha256
    on conflict (store, name, sha256) where deleted_at is null do update
    set key = excluded.key,
        rows = excluded.rows,
        media_type = excluded.media_type,
        execution_id = excluded.execution_id,
        step = excluded.step,
        operation_id = excluded.operation_id,
        asset_id = excluded.asset_id,
        created_at = excluded.created_at,
        expires_at = excluded.expires_at;
end;
$func$;

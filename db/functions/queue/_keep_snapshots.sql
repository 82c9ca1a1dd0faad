-- Keep the snapshots of their source that successful jobs have read, in the transaction that stores their rows. A job
-- that was reset meanwhile reads everything again; a job for a past date leaves the snapshot unchanged.

create or replace function headgate._keep_snapshots(
    p_chunk headgate.chunks,
    p_asset_ids bigint[],
    p_answers text[],
    p_job_results headgate.job_result[]
)
returns void
language sql
volatile
set search_path = pg_catalog, pg_temp
as $func$
    update headgate.asset_processing_state as s
    set source_snapshot = (p_answers[array_position(p_asset_ids, r.asset_id)]::jsonb ->> 'snapshot')::pg_snapshot
    from unnest(p_job_results) as r
    where s.operation_id = p_chunk.operation_id
        and s.asset_id = r.asset_id
        and r.result = 'success'
        and coalesce(s.reprocess_requested_at <= p_chunk.planned_at, true)
        and not (
            select e.is_backfill from headgate.process_executions as e where e.execution_id = p_chunk.execution_id
        );
$func$;

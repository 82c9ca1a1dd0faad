-- Store the validators (ETag, Last-Modified) of stored answers, so that the next request can ask only for a newer
-- version. After a reset the next request omits them. Values that a header cannot hold are dropped.

create or replace function headgate._keep_validators(
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
    set etag = substring(h.headers ->> 'etag' from '^[ -~]+$'),
        last_modified = substring(h.headers ->> 'last-modified' from '^[ -~]+$')
    from unnest(p_job_results) as r
    cross join lateral (
        select p_answers[array_position(p_asset_ids, r.asset_id)]::jsonb -> 'headers' as headers
    ) as h
    where s.operation_id = p_chunk.operation_id
        and s.asset_id = r.asset_id
        and r.result = 'success'
        and coalesce(s.reprocess_requested_at <= p_chunk.planned_at, true);
$func$;

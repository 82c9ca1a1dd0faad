-- End whole chunks of an execution that is held, and wake what has waited for their pools. The pools are locked before
-- any window.

create or replace function headgate._end_held(
    p_chunks headgate.chunks[],
    p_status text,
    p_reason text,
    p_now timestamptz
)
returns integer
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_chunk_ids constant bigint[] := array(select c.chunk_id from unnest(p_chunks) as c);
    v_pools constant text[] := array(select distinct c.pool from unnest(p_chunks) as c where c.pool is not null);
    v_jobs integer;
begin
    if v_pools = '{}' then
        return headgate._end_chunks(v_chunk_ids, p_status, p_reason, p_now);
    end if;
    perform headgate._lock_pools(p_chunks);
    v_jobs := headgate._end_chunks(v_chunk_ids, p_status, p_reason, p_now);
    perform headgate._wake_pools(v_pools, p_now);
    return v_jobs;
end;
$func$;

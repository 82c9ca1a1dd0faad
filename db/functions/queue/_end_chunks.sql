-- End whole chunks that will not, or no longer, be worked on: by finalize, cancel, skip, a claim or the sweep. Reserved
-- units are returned; units of a lease stay spent. Locks all chunks first, then all state rows, then the steps: a
-- session that holds a step must not wait for a chunk.

create or replace function headgate._end_chunks(
    p_chunk_ids bigint[],
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
    v_ended constant headgate.chunks[] := headgate._end_rows(p_chunk_ids, p_status, p_reason, p_now);
begin
    perform headgate._return_units(v_ended);
    return coalesce((select sum(cardinality(c.asset_ids)) from unnest(v_ended) as c), 0);
end;
$func$;

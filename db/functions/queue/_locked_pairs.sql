-- The pairs that these chunks hold, locked in order.

create or replace function headgate._locked_pairs(p_chunks headgate.chunks[])
returns table (operation_id bigint, asset_id bigint)
language sql
volatile
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
as $func$
    select s.operation_id, s.asset_id
    from unnest(p_chunks) as c
    cross join unnest(c.asset_ids) as u (asset_id)
    join headgate.asset_processing_state as s
        on s.operation_id = c.operation_id
        and s.asset_id = u.asset_id
        and s.chunk_id = c.chunk_id
    order by s.operation_id, s.asset_id
    for update of s;
$func$;

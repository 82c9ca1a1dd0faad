-- Pairs that refer to a chunk which does not exist or does not contain them.

create or replace function headgate._orphan_holds()
returns table (operation_id bigint, asset_id bigint, chunk_id bigint)
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select s.operation_id, s.asset_id, s.chunk_id
    from headgate.asset_processing_state as s
    left join headgate.chunks as c on c.chunk_id = s.chunk_id and c.operation_id = s.operation_id
    where s.chunk_id is not null
        and (c.chunk_id is null or s.asset_id <> all (c.asset_ids));
$func$;

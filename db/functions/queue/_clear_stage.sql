-- Remove what was staged for reported jobs, whichever lease copied it: it is merged by now, or never will be.

create or replace function headgate._clear_stage(
    p_operation headgate.operations,
    p_chunk headgate.chunks,
    p_asset_ids bigint[]
)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
begin
    execute format(
        'delete from headgate_stage.%I where chunk_id = $1 and asset_id = any ($2) and lease_no <= $3', p_operation.name
    )
    using p_chunk.chunk_id, p_asset_ids, p_chunk.lease_no;
end;
$func$;

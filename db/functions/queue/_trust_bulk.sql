create or replace function headgate._trust_bulk(
    p_operation text,
    p_asset_ids bigint[]
)
returns table (trusted integer)
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_operation constant headgate.operations := headgate._operation(p_operation);
begin
    with missed as (
        select s.operation_id, s.asset_id
        from headgate.asset_processing_state as s
        where s.operation_id = v_operation.operation_id
            and s.asset_id = any (p_asset_ids)
            and s.bulk_misses > 0
        order by s.asset_id
        for update
    )
    update headgate.asset_processing_state as s
    set bulk_misses = 0,
        alone_until = null
    from missed as m
    where s.operation_id = m.operation_id
        and s.asset_id = m.asset_id;
    get diagnostics trusted = row_count;
    return next;
end;
$func$;

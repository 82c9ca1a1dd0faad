-- Delete notices older than a time, whether they were sent or given up.
create or replace function headgate._forget_notices(p_before timestamptz)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_asset_ids constant bigint[] := array(
        select a.asset_id
        from headgate.assets as a
        where a.universe = any (headgate._outbox())
            and (a.attributes ->> 'at')::timestamptz < p_before
            and not exists (
                select
                from headgate.asset_processing_state as s
                join headgate.operations as o using (operation_id)
                where o.universe = a.universe
                    and s.asset_id = a.asset_id
                    and s.chunk_id is not null
            )
        order by a.asset_id
    );
begin
    delete from headgate.asset_processing_state as s
    using headgate.operations as o
    where o.universe = any (headgate._outbox())
        and s.operation_id = o.operation_id
        and s.asset_id = any (v_asset_ids);
    delete from headgate.assets as a where a.asset_id = any (v_asset_ids);
end;
$func$;

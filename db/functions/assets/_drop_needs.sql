-- When an operation moves to another universe, the assets of the old one no longer need it. Their history stays, and
-- jobs in flight end first.

create or replace function headgate._drop_needs()
returns void
language sql
volatile
set search_path = pg_catalog, pg_temp
as $func$
    delete from headgate.asset_processing_state as s
    using headgate.assets as a, headgate.operations as o
    where a.asset_id = s.asset_id
        and o.operation_id = s.operation_id
        and o.universe <> a.universe
        and s.chunk_id is null;
$func$;

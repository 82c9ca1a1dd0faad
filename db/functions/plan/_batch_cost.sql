-- The cost of serving a number of assets by batch calls only.

create or replace function headgate._batch_cost(
    p_assets numeric,
    p_batch_size integer,
    p_units integer,
    p_units_per_asset integer
)
returns numeric
language sql
immutable
set search_path = pg_catalog, pg_temp
as $func$
    select ceil(p_assets / p_batch_size) * p_units + p_assets * p_units_per_asset;
$func$;

-- The assets named by a run's parameters; an unknown one raises.

create or replace function headgate._named_assets(
    p_pipeline_id bigint,
    p_options headgate.plan_options
)
returns table (asset_id bigint)
language sql
stable
rows 10
set search_path = pg_catalog, pg_temp
as $func$
    select distinct headgate.find_asset((headgate._universes(p_pipeline_id, p_options))[1], i.item)
    from headgate._choices(p_pipeline_id, p_options, 'assets') as c
    cross join jsonb_array_elements_text(c.items) as i (item);
$func$;

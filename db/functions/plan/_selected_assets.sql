-- The assets a run is limited to, named directly or by groups; null: all.

create or replace function headgate._selected_assets(
    p_pipeline_id bigint,
    p_options headgate.plan_options
)
returns bigint[]
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select case
        when n.asset_ids is null then g.asset_ids
        when g.asset_ids is null then n.asset_ids
        else array(select unnest(n.asset_ids) intersect select unnest(g.asset_ids))
    end
    from (
        select case when exists (select from headgate._choices(p_pipeline_id, p_options, 'assets'))
            then array(select n.asset_id from headgate._named_assets(p_pipeline_id, p_options) as n)
        end as asset_ids
    ) as n
    cross join headgate._assets_of_groups(p_pipeline_id, p_options) as g (asset_ids);
$func$;

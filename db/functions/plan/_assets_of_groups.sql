-- The assets of the groups a run is limited to; null: all. Each parameter that names groups narrows the choice.

create or replace function headgate._assets_of_groups(
    p_pipeline_id bigint,
    p_options headgate.plan_options
)
returns bigint[]
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    with choice as materialized (
        select * from headgate._selected_groups(p_pipeline_id, p_options)
    )
    select case when l.parameters > 0 then array(
        select a.asset_id
        from choice as c
        join headgate.assets as a
            on a.universe = c.universe
            and a.group_key = c.group_key
            and (c.attribute is null or a.attributes ->> c.attribute = c.item)
        group by a.asset_id
        having count(distinct c.parameter) = l.parameters
    ) end
    from (select count(*) as parameters from headgate._choices(p_pipeline_id, p_options, 'groups')) as l;
$func$;

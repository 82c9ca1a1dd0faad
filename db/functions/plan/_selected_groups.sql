-- The groups named by a run's parameters, in each universe of the pipeline. A name is a group key, or else a value of
-- the parameter's attribute: then it selects the assets with that value (attribute is set) and, in a universe whose
-- assets lack the attribute, the groups of such assets. An unknown name yields a row without a group.

create or replace function headgate._selected_groups(
    p_pipeline_id bigint,
    p_options headgate.plan_options
)
returns table (parameter text, item text, universe text, group_key text, attribute text)
language sql
stable
rows 10
set search_path = pg_catalog, pg_temp
as $func$
    with choice as materialized (
        select p.name as parameter, p.meanings ->> 'attribute' as attribute, i.item
        from headgate._choices(p_pipeline_id, p_options, 'groups') as c
        join headgate.pipeline_parameters as p on p.pipeline_id = p_pipeline_id and p.name = c.parameter
        cross join jsonb_array_elements_text(c.items) as i (item)
    ),
    universe as materialized (
        select u.universe
        from unnest(headgate._universes(p_pipeline_id, p_options)) as u (universe)
        where exists (select from choice)
    ),
    keyed as materialized (
        select c.parameter, c.item, u.universe, c.item as group_key
        from choice as c
        cross join universe as u
        cross join lateral (
            select from headgate.assets as a where a.universe = u.universe and a.group_key = c.item limit 1
        ) as found
    ),
    carried as materialized (
        select c.parameter, c.item, a.universe, a.group_key, c.attribute
        from choice as c
        cross join lateral (
            select distinct a.universe, a.group_key
            from headgate.assets as a
            where a.attributes ->> c.attribute = c.item
                and a.universe in (select u.universe from universe as u)
        ) as a
        where c.item not in (select k.item from keyed as k)
    )
    select k.parameter, k.item, k.universe, k.group_key, null
    from keyed as k
    union all
    select * from carried
    union all
    select distinct c.parameter, c.item, u.universe, c.group_key, null
    from carried as c
    cross join universe as u
    where not exists (
            select from headgate.assets as a where a.universe = u.universe and a.attributes ? c.attribute
        )
        and exists (
            select from headgate.assets as a where a.universe = u.universe and a.group_key = c.group_key
        )
    union all
    select c.parameter, c.item, null, null, null
    from choice as c
    where not exists (
        select from keyed as k where k.parameter = c.parameter and k.item = c.item
        union all
        select from carried as k where k.parameter = c.parameter and k.item = c.item
    );
$func$;

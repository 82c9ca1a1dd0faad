-- How many pairs of a pipeline's steps would be skipped, and why, if a run at this moment planned nothing. How they
-- stand may have been counted before; what has become due by its time is looked up, which takes as long as there is.

create or replace function headgate._standings(
    p_pipeline_id bigint,
    p_at timestamptz,
    p_is_counted boolean
)
returns table (operation_id bigint, group_key text, standing text, pairs bigint)
language sql
stable
rows 1000
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_custom_plan
set enable_nestloop = on
set jit = off
as $func$
    with covered as materialized (
        -- The pipeline's operations, each with the groups of its steps.
        select o.operation_id, bool_or(g.group_keys is null) as is_whole, array_agg(u.group_key) as group_keys
        from headgate.pipeline_steps as g
        join headgate.operations as o on o.name = any (g.operations)
        left join unnest(g.group_keys) as u (group_key) on true
        where g.pipeline_id = p_pipeline_id
        group by o.operation_id
    ),
    due as materialized (
        select d.operation_id, a.group_key, count(*) as pairs
        from headgate._due_pairs(array(select c.operation_id from covered as c), p_at) as d
        join headgate.assets as a using (asset_id)
        where a.is_active
        group by d.operation_id, a.group_key
    )
    select s.operation_id, s.group_key, s.standing, sum(s.pairs)::bigint
    from (
        select c.operation_id, c.group_key, c.standing, c.assets as pairs
        from headgate.group_standings as c
        where p_is_counted
        union all
        select g.operation_id, g.group_key, g.standing, g.assets
        from headgate._group_standings as g
        where not p_is_counted
            and g.operation_id in (select c.operation_id from covered as c)
        union all
        select d.operation_id, d.group_key, u.standing, u.pairs
        from due as d
        cross join lateral (
            values ('not due yet', -d.pairs), ('outside the run''s parameters', d.pairs)
        ) as u (standing, pairs)
    ) as s
    join covered as c using (operation_id)
    where c.is_whole
        or s.group_key = any (c.group_keys)
    group by s.operation_id, s.group_key, s.standing;
$func$;

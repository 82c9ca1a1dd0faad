-- Data for a run's form: a pipeline's parameters and the names its lists accept, as _selected_groups reads them. Rows
-- are sorted, so that a file of them changes only with their content.

create or replace function headgate.run_parameters(p_counted boolean default false)
returns table (
    pipeline text, parameter text, type text, default_value jsonb, choices text[], is_closed boolean, description text
)
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $func$
    select
        p.name, m.name, m.type, m.default_value,
        case m.effect when 'groups' then g.names else m.allowed end,
        m.effect = 'groups' or m.allowed is not null,
        m.description
    from headgate.pipelines as p
    join headgate.pipeline_parameters as m using (pipeline_id)
    left join lateral (
        select array_agg(n.name order by n.name collate "C") as names
        from headgate._group_names(
            p.pipeline_id, m.meanings ->> 'attribute', p_counted and exists (select from headgate._counted)
        ) as n (name)
        where m.effect = 'groups'
    ) as g on true
    order by
        p.name collate "C",
        array_position(
            array['mode', 'groups', 'assets', 'request', 'quota', 'quota_buffer', 'max_assets', 'chunk_size'], m.effect
        ),
        m.name collate "C";
$func$;

comment on function headgate.run_parameters(boolean) is
    'Parameters of all pipelines, the most used first: type, default, choices; is_closed: only these choices are '
    'accepted. counted: groups may be those that a runner has found a little earlier.';

-- Keys of the groups of all steps, and their other names where those are accepted.
create or replace function headgate._group_names(
    p_pipeline_id bigint,
    p_attribute text,
    p_is_counted boolean
)
returns setof text
language sql
stable
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_custom_plan
as $func$
    with named as materialized (
        select n.universe, n.group_key, n.name
        from (
            select g.universe, g.group_key, g.attribute, g.name
            from headgate.group_names as g
            where p_is_counted
            union all
            select g.universe, g.group_key, g.attribute, g.name
            from headgate._names as g
            where not p_is_counted
        ) as n
        where n.universe = any (headgate._universes(p_pipeline_id, headgate._bare_options('{}')))
            and n.attribute in ('', p_attribute)
    )
    select distinct n.name
    from named as n
    join (
        select u.universe, u.group_key
        from (select distinct n.universe, n.group_key from named as n) as u
        where headgate._is_covered(p_pipeline_id, headgate._bare_options('{}'), u.universe, u.group_key)
    ) as c using (universe, group_key);
$func$;

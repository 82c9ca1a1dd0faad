-- Data for a run's form: a pipeline's parameters and the names its lists accept, as _selected_groups reads them. Rows
-- are sorted, so that a file of them changes only with their content.

create or replace function headgate.run_parameters()
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
        from headgate._group_names(p.pipeline_id, m.meanings ->> 'attribute') as n (name)
        where m.effect = 'groups'
    ) as g on true
    order by
        p.name collate "C",
        array_position(
            array['mode', 'groups', 'assets', 'request', 'quota', 'quota_buffer', 'max_assets', 'chunk_size'], m.effect
        ),
        m.name collate "C";
$func$;

comment on function headgate.run_parameters() is
    'Parameters of all pipelines, the most used first: type, default, choices; is_closed: '
    'only these choices are accepted.';

-- Keys of the groups of all steps, and their other names where those are accepted.
create or replace function headgate._group_names(
    p_pipeline_id bigint,
    p_attribute text
)
returns setof text
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    with named as materialized (
        select distinct a.universe, a.group_key, a.attributes ->> p_attribute as other_name
        from headgate.assets as a
        where a.universe = any (headgate._universes(p_pipeline_id, headgate._bare_options('{}')))
    )
    select distinct v.name
    from named as n
    cross join lateral (values (n.group_key), (n.other_name)) as v (name)
    where v.name is not null
        and headgate._is_covered(p_pipeline_id, headgate._bare_options('{}'), n.universe, n.group_key);
$func$;

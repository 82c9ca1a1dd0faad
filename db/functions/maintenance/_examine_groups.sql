-- Assets that need an operation of a pipeline but belong to no group of its steps.

create or replace function headgate._examine_groups()
returns table (subject text, verdict text, found text, advice text, is_fixable boolean)
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    with populated as materialized (
        select a.universe, a.group_key, count(*) as assets
        from headgate.assets as a
        where a.is_active
        group by a.universe, a.group_key
    )
    select
        format('group %s of pipeline %s', g.group_key, p.name), 'warn',
        format('no step covers its %s assets of universe %s', g.assets, g.universe),
        'headgate.cover_groups adds it to a step', false
    from headgate.pipelines as p
    cross join populated as g
    where g.universe = any (headgate._universes(p.pipeline_id, headgate._bare_options('{}')))
        and not headgate._is_covered(p.pipeline_id, headgate._bare_options('{}'), g.universe, g.group_key);
$func$;

create or replace function headgate._universes(
    p_pipeline_id bigint,
    p_options headgate.plan_options
)
returns text[]
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select array_agg(distinct o.universe)
    from headgate._graph(p_pipeline_id, p_options) as s
    join headgate.operations as o on o.name = any (s.operations);
$func$;

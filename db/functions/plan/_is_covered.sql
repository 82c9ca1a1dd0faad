-- Whether a step processes this group for an operation of its universe.

create or replace function headgate._is_covered(
    p_pipeline_id bigint,
    p_options headgate.plan_options,
    p_universe text,
    p_group_key text
)
returns boolean
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select exists (
        select
        from headgate._graph(p_pipeline_id, p_options) as s
        join headgate.operations as o on o.name = any (s.operations)
        where o.universe = p_universe
            and (s.group_keys is null or p_group_key = any (s.group_keys))
    );
$func$;

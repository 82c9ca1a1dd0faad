-- The first step that runs an operation for a group; null if none does.

create or replace function headgate._step_of(
    p_pipeline_id bigint,
    p_options headgate.plan_options,
    p_operation_id bigint,
    p_group_key text,
    p_step text default null
)
returns text
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select s.step
    from headgate._graph(p_pipeline_id, p_options) as s
    join headgate.operations as o on o.operation_id = p_operation_id
    where o.name = any (s.operations)
        and (s.group_keys is null or p_group_key = any (s.group_keys))
        and (p_step is null or s.step = p_step)
    order by s.position
    limit 1;
$func$;

-- The outputs of an execution's steps under the key where templates look for them.

create or replace function headgate._outputs_of(
    p_execution_id bigint,
    p_steps text[]
)
returns jsonb
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select jsonb_build_object('?steps', coalesce(jsonb_object_agg(o.step, o.output), '{}'))
    from headgate._step_outputs as o
    where o.execution_id = p_execution_id
        and o.step = any (p_steps);
$func$;

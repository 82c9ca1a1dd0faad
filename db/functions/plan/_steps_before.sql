-- The steps that a step depends on, directly or through others.

create or replace function headgate._steps_before(p_step headgate.pipeline_steps)
returns text[]
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    with recursive before as (
        select d.step from unnest(p_step.depends_on) as d (step)
        union
        select d.step
        from before as b
        join headgate.pipeline_steps as s on s.pipeline_id = p_step.pipeline_id and s.step = b.step
        cross join unnest(s.depends_on) as d (step)
    )
    select array(select b.step from before as b);
$func$;

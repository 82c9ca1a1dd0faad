-- Add the groups that operators have added to steps, after the groups declared by the plan. A step over all groups is
-- unchanged.

create or replace function headgate._add_step_groups()
returns void
language sql
volatile
set search_path = pg_catalog, pg_temp
as $func$
    update headgate.pipeline_steps as s
    set group_keys = s.group_keys || a.group_keys
    from (
        select g.pipeline_id, g.step, array_agg(g.group_key order by g.added_at, g.group_key) as group_keys
        from headgate.step_groups as g
        join headgate.pipeline_steps as s using (pipeline_id, step)
        where g.group_key <> all (s.group_keys)
        group by g.pipeline_id, g.step
    ) as a
    where s.pipeline_id = a.pipeline_id
        and s.step = a.step;
$func$;

-- Steps to which headgate._settle_steps has to see; mostly none has anything noted.

create or replace function headgate._unsettled_steps()
returns table (execution_id bigint, step text)
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select s.execution_id, s.step
    from (select distinct c.execution_id, c.step from headgate.step_counts as c) as n
    join headgate._step_counters as s using (execution_id, step)
    where s.status <> 'running'
        or s.planned <= s.ended
    order by s.execution_id, s.step;
$func$;

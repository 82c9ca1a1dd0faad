-- Take what is noted beside an execution's steps into their rows. The caller holds the execution, so nobody notes more.

create or replace function headgate._take_counts(p_execution_id bigint)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
begin
    perform headgate._hold_step(p_execution_id, n.step)
    from (
        select distinct c.step from headgate.step_counts as c where c.execution_id = p_execution_id order by c.step
    ) as n;
end;
$func$;

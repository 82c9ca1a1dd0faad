-- Runs that ended before a time, and are still there, apart from those whose last calls have not come back.

create or replace function headgate._left_runs(p_before timestamptz)
returns integer
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select count(*)::integer
    from headgate.process_executions as e
    where e.started_at < p_before
        and e.finished_at < p_before
        and not exists (select from headgate.chunks as c where c.execution_id = e.execution_id);
$func$;

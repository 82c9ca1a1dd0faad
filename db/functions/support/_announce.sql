-- Wake whoever waits for the end of a step, or of the execution. Anybody who may log in hears it, and could send the
-- same: it is only an id, tells nothing by itself, and names nothing.

create or replace function headgate._announce(p_execution_id bigint)
returns void
language sql
volatile
set search_path = pg_catalog, pg_temp
as $func$
    select pg_notify('headgate_steps', p_execution_id::text), pg_notify('headgate_jobs', '');
$func$;

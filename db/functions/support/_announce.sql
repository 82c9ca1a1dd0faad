-- Wake sessions that wait for the end of a step or an execution. Any login can listen and send the same: the payload is
-- only an id.

create or replace function headgate._announce(p_execution_id bigint)
returns void
language sql
volatile
set search_path = pg_catalog, pg_temp
as $func$
    select pg_notify('headgate_steps', p_execution_id::text), pg_notify('headgate_jobs', '');
$func$;

create or replace function headgate._may_end_sessions()
returns boolean
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select pg_has_role('headgate_owner', 'pg_signal_backend', 'usage');
$func$;

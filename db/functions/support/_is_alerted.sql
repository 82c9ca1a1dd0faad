create or replace function headgate._is_alerted(p_subject text)
returns boolean
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select exists (select from headgate.alerts as a where a.subject = p_subject and a.resolved_at is null);
$func$;

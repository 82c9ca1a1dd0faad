create or replace function headgate._resolve_alert(p_subject text)
returns void
language sql
volatile
set search_path = pg_catalog, pg_temp
as $func$
    select headgate._set_alert(p_subject, null, null, false, headgate.clock());
$func$;

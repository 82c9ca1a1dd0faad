create or replace function headgate._raise_alert(
    p_severity text,
    p_subject text,
    p_message text,
    p_caller text
)
returns void
language sql
volatile
set search_path = pg_catalog, pg_temp
as $func$
    select headgate._set_alert(p_subject, p_severity, p_message, true, headgate.clock(), p_caller);
$func$;

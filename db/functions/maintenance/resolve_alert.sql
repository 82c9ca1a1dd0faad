create or replace function headgate.resolve_alert(p_subject text)
returns void
language sql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $func$
    select headgate._set_alert(p_subject, null, null, false, headgate.clock());
$func$;

comment on function headgate.resolve_alert(text) is 'Close the open alert of a subject: its cause is gone.';

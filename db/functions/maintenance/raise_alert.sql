create or replace function headgate.raise_alert(
    p_severity text,
    p_subject text,
    p_message text
)
returns void
language sql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $func$
    select headgate._set_alert(p_subject, p_severity, p_message, true, headgate.clock());
$func$;

comment on function headgate.raise_alert(text, text, text) is
    'Put what people should know into v_alerts, once: while a subject''s alert is open, another one changes nothing.';

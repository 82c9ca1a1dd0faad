create or replace function headgate.raise_alert(
    p_severity text,
    p_subject text,
    p_message text
)
returns void
language sql
volatile
set search_path = pg_catalog, pg_temp
as $func$
    insert into headgate._requests (function, arguments)
    values ('raise_alert', jsonb_build_object(
        'p_severity', p_severity, 'p_subject', p_subject, 'p_message', p_message
    ));
$func$;

comment on function headgate.raise_alert(text, text, text) is
    'Raise an alert in v_alerts; while a subject has an open alert, a second one changes nothing.';

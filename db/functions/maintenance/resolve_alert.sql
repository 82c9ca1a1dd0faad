create or replace function headgate.resolve_alert(p_subject text)
returns void
language sql
volatile
set search_path = pg_catalog, pg_temp
as $func$
    insert into headgate._requests (function, arguments)
    values ('resolve_alert', jsonb_build_object(
        'p_subject', p_subject
    ));
$func$;

comment on function headgate.resolve_alert(text) is
    'Resolve the open alert of a subject, because its cause is gone. A plan cannot resolve another plan''s alerts.';

create or replace function headgate.notify(
    p_channel text,
    p_subject text,
    p_body text,
    p_key text
)
returns void
language sql
volatile
set search_path = pg_catalog, pg_temp
as $func$
    insert into headgate._requests (function, arguments)
    values ('notify', jsonb_build_object(
        'p_channel', p_channel, 'p_subject', p_subject, 'p_body', p_body, 'p_key', p_key
    ));
$func$;

comment on function headgate.notify(text, text, text, text) is
    'Send a notice to a channel when this transaction commits; p_key names the event, sent once to each channel.';

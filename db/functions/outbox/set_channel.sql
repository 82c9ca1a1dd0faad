-- An operator's change to a channel; it stays until the plan's file says something else. Only the owner may call it,
-- because the settings decide which host receives a secret.

create or replace function headgate.set_channel(
    p_channel text,
    p_changes jsonb
)
returns table (
    name text, secret_name text, host text, port integer, username text, sender text, recipients text[]
)
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
#variable_conflict use_column
declare
    v_keys constant text[] := '{secret_name,host,port,username,sender,recipients}';
    v_new headgate.channels;
begin
    select c.* into v_new from headgate.channels as c where c.name = p_channel for no key update;
    if not found then
        perform headgate._raise(
            'HG008', format('unknown channel: %s', coalesce(quote_literal(p_channel), 'null')),
            headgate._known('known channels', p_channel, array(select c.name from headgate.channels as c))
        );
    end if;
    perform headgate._check_settings(format('channel %s', p_channel), p_changes, v_keys);
    v_new := jsonb_populate_record(v_new, p_changes);

    update headgate.channels as c
    set secret_name = v_new.secret_name,
        host = v_new.host,
        port = v_new.port,
        username = v_new.username,
        sender = v_new.sender,
        recipients = v_new.recipients
    where c.name = p_channel;
    perform headgate._record_action('set_channel', jsonb_build_object('channel', p_channel), p_changes);
    return query
    select c.name, c.secret_name, c.host, c.port, c.username, c.sender, c.recipients
    from headgate.channels as c
    where c.name = p_channel;
exception
    when check_violation or data_exception or not_null_violation then
        perform headgate._raise(
            'HG008', format('channel %s: %s', p_channel, sqlerrm), 'nothing was changed'
        );
end;
$func$;

comment on function headgate.set_channel(text, jsonb) is
    'Change where a channel is: the name of its secret, and a mail server''s host, port, username, sender and '
    'recipients. Returns their new values.';

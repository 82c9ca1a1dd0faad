-- A channel that notices are sent to. Secrets are named, never given: a hook's address is a secret, too.

create or replace function headgate.put_channel(
    channel text,
    kind text,
    secret_name text default null,
    host text default null,
    port integer default null,
    username text default null,
    sender text default null,
    recipients text[] default null
)
returns text
language sql
volatile
set search_path = pg_catalog, pg_temp
as $func$
    select headgate._declare('channel', put_channel.channel, jsonb_build_object(
        'kind', put_channel.kind,
        'secret_name', put_channel.secret_name,
        'host', put_channel.host,
        'port', put_channel.port,
        'username', put_channel.username,
        'sender', put_channel.sender,
        'recipients', put_channel.recipients
    ));
$func$;

comment on function headgate.put_channel is
    'Declare a channel for notices: kind is slack, webhook or mail. Returns created, unchanged, or changed and what.';

-- Channels and routes of notices. The outbox itself is universes of assets, one asset per event and channel.

create table headgate.channels (
    name text not null,
    kind text not null,
    secret_name text,
    host text,
    port integer not null default 587,
    username text,
    sender text,
    recipients text[] not null default '{}',
    constraint channels_pkey primary key (name),
    constraint channel_name_is_plain check (name ~ '^[a-z][a-z0-9_]{0,62}$'),
    constraint channel_kind_is_known check (kind in ('slack', 'webhook', 'mail')),
    constraint secret_is_a_name check (secret_name ~ '^[A-Za-z_][A-Za-z0-9_]*$'),
    constraint secret_is_no_way_into_the_database check (secret_name !~* '^(PG|HEADGATE_)'),
    constraint a_hook_is_a_secret check (kind = 'mail' or secret_name is not null),
    constraint mail_has_host_sender_and_recipients
        check (kind <> 'mail' or host is not null and sender is not null and recipients <> '{}'),
    constraint port_in_range check (port between 1 and 65535),
    constraint a_user_has_a_password check (username is null or secret_name is not null),
    constraint addresses_are_plain
        check ((host || ' ' || sender || ' ' || array_to_string(recipients, ' ')) !~ '[[:cntrl:]]')
);

comment on table headgate.channels is 'Where notices are sent: a Slack hook, a web hook, or mail.';
comment on column headgate.channels.name is 'Its name.';
comment on column headgate.channels.kind is 'slack, webhook or mail.';
comment on column headgate.channels.secret_name is
    'Name of the runner''s environment variable with the hook''s address, or with the mail server''s password; never '
    'the secret.';
comment on column headgate.channels.host is 'The mail server.';
comment on column headgate.channels.port is 'Its port; 465 uses TLS from the start, any other port if TLS is offered.';
comment on column headgate.channels.username is 'The user at the mail server; null: none is needed.';
comment on column headgate.channels.sender is 'The address that mails come from.';
comment on column headgate.channels.recipients is 'The addresses that mails go to.';

create table headgate.routes (
    name text not null,
    channel text not null references headgate.channels (name) on delete cascade,
    event text not null,
    severity text,
    subject text,
    pipeline text,
    statuses text[],
    constraint routes_pkey primary key (name),
    constraint event_is_known check (event in ('alert', 'run')),
    constraint route_severity_is_known check (severity in ('warning', 'error')),
    constraint route_statuses_are_known check (statuses <@ array['succeeded', 'failed', 'cancelled']),
    constraint an_alert_has_severity_and_subject check (event = 'alert' or severity is null and subject is null),
    constraint a_run_has_pipeline_and_status check (event = 'run' or pipeline is null and statuses is null)
);

comment on table headgate.routes is 'Which alerts and ends of runs are sent to which channel.';
comment on column headgate.routes.name is 'Its name.';
comment on column headgate.routes.channel is 'The channel.';
comment on column headgate.routes.event is 'alert: an alert is raised; run: an execution ends.';
comment on column headgate.routes.severity is 'Only alerts of this severity; null: of any.';
comment on column headgate.routes.subject is
    'Only alerts with a subject like this pattern (% for anything); null: all.';
comment on column headgate.routes.pipeline is 'Only runs of pipelines whose name is like this pattern; null: of all.';
comment on column headgate.routes.statuses is
    'Only runs that end with one of these statuses: succeeded, failed, cancelled; null: all.';

create index routes_channel_idx on headgate.routes (channel);
comment on index headgate.routes_channel_idx is 'Finds what is sent to a channel.';

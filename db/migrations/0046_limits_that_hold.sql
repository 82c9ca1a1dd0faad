-- What was advice becomes a limit: rows say how roles are set, how many sessions they may have and how old their transactions may
-- become; and where secrets are sent is noted, so that a change by anybody else shows.

create table headgate.role_limits (
    role text not null,
    name text not null,
    value text not null,
    constraint role_limits_pkey primary key (role, name)
);

comment on table headgate.role_limits is
    'How the roles are limited: migrate writes it, the doctor compares it, the watchdog ends what is beyond it. After a change: headgate doctor --fix.';
comment on column headgate.role_limits.role is 'The role; roles belong to the server, so the rows of its databases should agree.';
comment on column headgate.role_limits.name is
    'A setting of PostgreSQL''s; or connection_limit (a number, or a share of max_connections), transaction_age, idle_age (in a transaction), advisory_locks: sessions beyond these three are ended.';
comment on column headgate.role_limits.value is 'Its value, exactly as PostgreSQL keeps it.';

insert into headgate.role_limits (role, name, value)
values
    ('headgate_planner', 'idle_in_transaction_session_timeout', '60s'),
    ('headgate_planner', 'connection_limit', '50%'),
    ('headgate_planner', 'transaction_age', '1 hour'),
    ('headgate_planner', 'idle_age', '5 minutes'),
    ('headgate_planner', 'advisory_locks', '100'),
    ('headgate_runner', 'idle_in_transaction_session_timeout', '60s'),
    ('headgate_runner', 'connection_limit', '70%'),
    ('headgate_runner', 'transaction_age', '1 hour'),
    ('headgate_runner', 'idle_age', '5 minutes'),
    ('headgate_runner', 'advisory_locks', '100'),
    ('headgate_reader', 'idle_in_transaction_session_timeout', '60s'),
    ('headgate_reader', 'statement_timeout', '60s'),
    ('headgate_reader', 'lock_timeout', '5s'),
    ('headgate_reader', 'default_transaction_read_only', 'on'),
    ('headgate_reader', 'transaction_timeout', '5min'),
    ('headgate_reader', 'connection_limit', '25%'),
    ('headgate_reader', 'idle_age', '5 minutes'),
    ('headgate_reader', 'advisory_locks', '100');

insert into headgate.role_limits (role, name, value)
select 'headgate_reader', 'transaction_age', s.value #>> '{}' from headgate.settings as s where s.name = 'reader_transactions';
delete from headgate.settings as s where s.name = 'reader_transactions';

comment on column headgate.settings.name is
    'test_clock: sessions may move headgate.clock(); keep_history: how long details are kept; sessions_ahead: fewer loaded trading sessions raise an alert.';

-- By whom known: whoever may say so has set it, by a file of the plan's or by hand.
create table headgate.provider_addresses (
    provider_id bigint not null,
    base_url text,
    auth jsonb not null,
    secret_name text,
    noted_at timestamptz not null,
    noted_by text not null,
    constraint provider_addresses_pkey primary key (provider_id),
    constraint provider_addresses_provider_fkey foreign key (provider_id) references headgate.providers (provider_id)
        on delete cascade
);

comment on table headgate.provider_addresses is
    'Where each provider''s secret is sent, as somebody has said who may: the doctor compares it with what runners are told.';
comment on column headgate.provider_addresses.provider_id is 'The provider.';
comment on column headgate.provider_addresses.base_url is 'Its address.';
comment on column headgate.provider_addresses.auth is 'Where in a request the secret goes.';
comment on column headgate.provider_addresses.secret_name is 'The environment variable that holds the secret.';
comment on column headgate.provider_addresses.noted_at is 'When it was said.';
comment on column headgate.provider_addresses.noted_by is 'Who had logged in then.';

insert into headgate.provider_addresses (provider_id, base_url, auth, secret_name, noted_at, noted_by)
select p.provider_id, p.base_url, p.auth, p.secret_name, clock_timestamp(), session_user
from headgate.providers as p;

-- Their work is done by headgate._end_sessions.
-- squawk-ignore ban-drop-function
drop function if exists headgate._end_readers();
-- squawk-ignore ban-drop-function
drop function if exists headgate._late_readers();

-- Settings of this database, and limits of the roles that log in to it.

create table headgate.settings (
    name text not null,
    value jsonb not null,
    constraint settings_pkey primary key (name)
);

comment on table headgate.settings is 'Settings of this database; only the owner changes them.';
comment on column headgate.settings.name is
    'test_clock: sessions may move headgate.clock(); keep_history: how long details '
    'are kept; sessions_ahead: fewer loaded trading sessions raise an alert; changes_wait, changes_bytes: changes that '
    'wait longer for their export, or take more room, raise an alert; cache_bytes: how much the cached answers may '
    'take; work_off_within, calls_per_runner, processes_per_runner: in which time v_wanted_runners has ready work '
    'done, by runners that do so much at once.';
comment on column headgate.settings.value is 'Its value.';

insert into headgate.settings (name, value)
values
    ('test_clock', 'false'),
    ('keep_history', '"400 days"'),
    ('sessions_ahead', '"90 days"'),
    ('changes_wait', '"1 day"'),
    ('changes_bytes', '1073741824'),
    ('cache_bytes', '268435456'),
    ('work_off_within', '"10 minutes"'),
    ('calls_per_runner', '50'),
    ('processes_per_runner', '1');

create table headgate.role_limits (
    role text not null,
    name text not null,
    value text not null,
    constraint role_limits_pkey primary key (role, name)
);

comment on table headgate.role_limits is
    'Limits of the roles: migrate applies them, the doctor compares them, and sessions that exceed them are ended. '
    'After a change: headgate doctor --fix.';
comment on column headgate.role_limits.role is
    'The role; roles belong to the server, so the rows of all its databases should agree.';
comment on column headgate.role_limits.name is
    'A setting of PostgreSQL''s; or connection_limit (a number, or a share of max_connections), '
    'transaction_age, idle_age (in a transaction), advisory_locks: sessions beyond these three are ended.';
comment on column headgate.role_limits.value is 'Its value, exactly as PostgreSQL keeps it.';

insert into headgate.role_limits (role, name, value)
values
    ('headgate_planner', 'idle_in_transaction_session_timeout', '60s'),
    ('headgate_planner', 'tcp_keepalives_idle', '10'),
    ('headgate_planner', 'tcp_keepalives_interval', '5'),
    ('headgate_planner', 'tcp_keepalives_count', '3'),
    ('headgate_planner', 'tcp_user_timeout', '25s'),
    ('headgate_planner', 'connection_limit', '50%'),
    ('headgate_planner', 'transaction_age', '1 hour'),
    ('headgate_planner', 'idle_age', '5 minutes'),
    ('headgate_planner', 'advisory_locks', '100'),
    ('headgate_runner', 'idle_in_transaction_session_timeout', '60s'),
    ('headgate_runner', 'tcp_keepalives_idle', '10'),
    ('headgate_runner', 'tcp_keepalives_interval', '5'),
    ('headgate_runner', 'tcp_keepalives_count', '3'),
    ('headgate_runner', 'tcp_user_timeout', '25s'),
    ('headgate_runner', 'connection_limit', '70%'),
    ('headgate_runner', 'transaction_age', '1 hour'),
    ('headgate_runner', 'idle_age', '5 minutes'),
    ('headgate_runner', 'advisory_locks', '100'),
    ('headgate_reader', 'idle_in_transaction_session_timeout', '60s'),
    ('headgate_reader', 'statement_timeout', '60s'),
    ('headgate_reader', 'lock_timeout', '5s'),
    ('headgate_reader', 'default_transaction_read_only', 'on'),
    ('headgate_reader', 'transaction_timeout', '5min'),
    ('headgate_reader', 'tcp_keepalives_idle', '10'),
    ('headgate_reader', 'tcp_keepalives_interval', '5'),
    ('headgate_reader', 'tcp_keepalives_count', '3'),
    ('headgate_reader', 'tcp_user_timeout', '25s'),
    ('headgate_reader', 'connection_limit', '25%'),
    ('headgate_reader', 'transaction_age', '10 minutes'),
    ('headgate_reader', 'idle_age', '5 minutes'),
    ('headgate_reader', 'advisory_locks', '100');

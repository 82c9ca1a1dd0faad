-- Outside services: how to call them, how to read their answers, what they allow, and how their gate stands now.

create table headgate.providers (
    provider_id bigint generated always as identity,
    name text not null,
    description text not null default '',
    base_url text,
    auth jsonb not null default '{"in": "none"}',
    secret_name text,
    headers jsonb not null default '{}',
    quota integer,
    quota_buffer integer not null default 0,
    quota_period text not null default 'day',
    quota_zone text not null default 'UTC',
    reset_guard interval not null default '5 seconds',
    requests_per_minute integer,
    burst integer,
    max_in_flight integer not null default 50,
    breaker_failures integer not null default 10,
    breaker_cooldown interval not null default '60 seconds',
    publication_lag interval not null default '0',
    constraint providers_pkey primary key (provider_id),
    constraint providers_name_is_unique unique (name),
    constraint name_fits_a_queue check (name ~ '^[a-z][a-z0-9_]{0,30}$'),
    constraint base_url_is_http check (base_url ~ '^https?://[^/?#@[:space:]]+(/[^?#[:space:]]*)?$'),
    constraint secret_is_a_name check (secret_name ~ '^[A-Za-z_][A-Za-z0-9_]*$'),
    constraint auth_place_is_known check (auth ->> 'in' in ('none', 'query', 'header', 'bearer')),
    constraint auth_names_its_secret check (auth ->> 'in' = 'none' or secret_name is not null),
    constraint quota_is_not_negative check (quota >= 0),
    constraint buffer_is_not_negative check (quota_buffer >= 0),
    constraint quota_period_is_known check (quota_period in ('minute', 'hour', 'day', 'month')),
    constraint limits_are_positive check (
        least(requests_per_minute, burst, max_in_flight, breaker_failures) > 0
    ),
    constraint times_are_not_negative check (
        reset_guard >= '0' and breaker_cooldown > '0' and publication_lag >= '0'
    )
);

comment on table headgate.providers is 'An outside service and its rules; `local` stands for work without one.';
comment on column headgate.providers.provider_id is 'Surrogate key.';
comment on column headgate.providers.name is 'Short name; its queues are called <name>_high, <name>_normal and <name>_low.';
comment on column headgate.providers.description is 'What the service is.';
comment on column headgate.providers.base_url is 'Every request''s URL starts with this; null for `local`.';
comment on column headgate.providers.auth is 'Where the secret goes: {"in": "query" | "header" | "bearer" | "none", "name": ...}.';
comment on column headgate.providers.secret_name is 'Name of the runner''s environment variable that holds the secret; never the secret.';
comment on column headgate.providers.headers is 'Headers sent with every request.';
comment on column headgate.providers.quota is 'Units the provider allows per window; null: no quota.';
comment on column headgate.providers.quota_buffer is 'Units of the quota that are never spent.';
comment on column headgate.providers.quota_period is 'Length of a window: minute, hour, day or month.';
comment on column headgate.providers.quota_zone is 'Time zone in which the provider''s windows begin.';
comment on column headgate.providers.reset_guard is 'In the last moments before a window''s reset no call starts.';
comment on column headgate.providers.requests_per_minute is 'Requests (not units) in any 60 seconds; null: no limit.';
comment on column headgate.providers.burst is 'Requests granted in one second, unless one chunk alone needs more; null: no limit.';
comment on column headgate.providers.max_in_flight is 'Calls open at once, over all runners.';
comment on column headgate.providers.breaker_failures is 'Consecutive failures of the provider that open its breaker.';
comment on column headgate.providers.breaker_cooldown is 'How long an open breaker keeps the provider closed before a probe; doubles while probes fail.';
comment on column headgate.providers.publication_lag is 'How long after a session''s close its data is there, unless publication_lags says otherwise.';

create table headgate.publication_lags (
    provider_id bigint not null references headgate.providers,
    calendar text not null,
    lag interval not null,
    constraint publication_lags_pkey primary key (provider_id, calendar)
);

comment on table headgate.publication_lags is 'A provider''s publication lag for one calendar, where it differs from its usual one.';
comment on column headgate.publication_lags.provider_id is 'The provider.';
comment on column headgate.publication_lags.calendar is 'The calendar, as in trading_sessions.';
comment on column headgate.publication_lags.lag is 'How long after a session''s close the provider has its data.';

create table headgate.response_rules (
    provider_id bigint not null references headgate.providers,
    position integer not null,
    status text not null,
    content_type text,
    body text,
    outcome text not null,
    blame text not null default 'item',
    close text,
    reason text not null,
    constraint response_rules_pkey primary key (provider_id, position),
    constraint status_is_readable check (
        status ~ '^([1-5][0-9]{2}(-[1-5][0-9]{2})?|[*]|error:(timeout|connect|cut))$'
    ),
    constraint rule_outcome_is_known check (outcome in ('success', 'retry', 'failed', 'deferred', 'skipped')),
    constraint rule_blame_is_known check (blame in ('item', 'provider', 'house', 'quota')),
    constraint close_is_readable check (close ~ '^(retry_after|reset|execution|[0-9]+ seconds)$')
);

comment on table headgate.response_rules is 'How a provider''s answers are read: the first rule that fits decides; what fits none is the provider''s fault.';
comment on column headgate.response_rules.provider_id is 'The provider.';
comment on column headgate.response_rules.position is 'Order of trying.';
comment on column headgate.response_rules.status is 'HTTP status or range (500-599), error:timeout, error:connect, error:cut, or * for any.';
comment on column headgate.response_rules.content_type is 'Regular expression the content type must match; null: any.';
comment on column headgate.response_rules.body is 'Regular expression the start of the body must match; null: any.';
comment on column headgate.response_rules.outcome is 'What becomes of the job.';
comment on column headgate.response_rules.blame is 'Whose fault it is: item (burns attempts), provider (feeds the breaker), house (ours: a token, a setting), quota (nobody''s).';
comment on column headgate.response_rules.close is 'What else is closed: the provider until retry_after, reset or for N seconds, or the rest of this execution.';
comment on column headgate.response_rules.reason is 'The reason kept with the job.';

create table headgate.provider_gates (
    provider_id bigint not null references headgate.providers,
    rate_slots integer[] not null default array_fill(0, array[60]),
    rate_second bigint not null default 0,
    failures integer not null default 0,
    opened integer not null default 0,
    closed_until timestamptz,
    closed_reason text,
    probe_chunk_id bigint,
    constraint provider_gates_pkey primary key (provider_id),
    constraint sixty_slots check (cardinality(rate_slots) = 60),
    constraint gate_counts_are_not_negative check (least(failures, opened) >= 0)
) with (fillfactor = 50);

comment on table headgate.provider_gates is 'How a provider''s gate stands: requests granted in the last minute, and its breaker.';
comment on column headgate.provider_gates.provider_id is 'The provider.';
comment on column headgate.provider_gates.rate_slots is
    'Requests granted lately, by slot modulo 60; a slot is a fifty-ninth of a minute, so that sixty cover any.';
comment on column headgate.provider_gates.rate_second is 'The slot (since 1970) that they were last brought up to.';
comment on column headgate.provider_gates.failures is 'Consecutive failures of the provider since its last answer.';
comment on column headgate.provider_gates.opened is 'Times the breaker has opened in a row; doubles the cool-down.';
comment on column headgate.provider_gates.closed_until is 'Nothing is asked of the provider before; null: open. Once it has passed after a breaker, one probe goes first.';
comment on column headgate.provider_gates.closed_reason is 'Why it is closed.';
comment on column headgate.provider_gates.probe_chunk_id is 'The chunk that probes a half-open breaker.';

create table headgate.quota_windows (
    provider_id bigint not null references headgate.providers,
    opened_at timestamptz not null,
    closes_at timestamptz not null,
    usable integer not null,
    reserved integer not null default 0,
    spent integer not null default 0,
    used_elsewhere integer not null default 0,
    closed_until timestamptz,
    constraint quota_windows_pkey primary key (provider_id, opened_at),
    constraint window_closes_after_it_opens check (closes_at > opened_at),
    constraint units_are_not_negative check (least(usable, reserved, spent, used_elsewhere) >= 0),
    constraint never_above_quota check (reserved + spent <= usable)
) with (fillfactor = 50);

comment on table headgate.quota_windows is 'What a provider allows in one window, in units: promised, spent, left.';
comment on column headgate.quota_windows.provider_id is 'The provider.';
comment on column headgate.quota_windows.opened_at is 'The window''s first moment, in the provider''s own calendar.';
comment on column headgate.quota_windows.closes_at is 'The provider''s reset: the next window''s first moment.';
comment on column headgate.quota_windows.usable is 'The provider''s limit less the buffer, fixed when the window opens.';
comment on column headgate.quota_windows.reserved is 'Units promised to planned jobs whose calls have not started.';
comment on column headgate.quota_windows.spent is 'Units of calls that started; a call that may have been made counts.';
comment on column headgate.quota_windows.used_elsewhere is 'Units the provider reports beyond our own book.';
comment on column headgate.quota_windows.closed_until is 'The provider said its quota is used up: nothing is asked of it before.';

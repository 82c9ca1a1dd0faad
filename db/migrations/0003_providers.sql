-- Providers: how to call them, how to read their answers, what they allow, and where their secrets are sent.

create table headgate.providers (
    provider_id bigint generated always as identity,
    name text not null,
    description text not null default '',
    kind text not null default 'http',
    base_url text,
    hosts text[],
    auth jsonb not null default '{"in": "none"}',
    secret_name text,
    headers jsonb not null default '{}',
    features text[] not null default '{}',
    quota integer,
    quota_buffer integer not null default 0,
    quota_period text not null default 'day',
    quota_zone text not null default 'UTC',
    reset_guard interval not null default '5 seconds',
    requests_per_minute integer,
    burst integer,
    crawl_delay interval,
    starts_at_once integer generated always as (
        case
            when crawl_delay is not null then 1
            else greatest(1, least(coalesce(burst, requests_per_minute / 600), (requests_per_minute + 1) / 2))
        end
    ) stored,
    start_every interval generated always as (
        greatest(crawl_delay, interval '1 minute' / least(
            requests_per_minute / 1.02,
            requests_per_minute + 0.99 - greatest(1, least(
                coalesce(burst, requests_per_minute / 600), (requests_per_minute + 1) / 2
            ))
        ))
    ) stored,
    max_in_flight integer not null default 50,
    breaker_failures integer not null default 10,
    breaker_share numeric not null default 0.5,
    breaker_cooldown interval not null default '60 seconds',
    publication_lag interval not null default '0',
    is_retired boolean not null default false,
    constraint providers_pkey primary key (provider_id),
    constraint providers_name_is_unique unique (name),
    constraint name_fits_a_queue check (name ~ '^[a-z][a-z0-9_]{0,30}$'),
    constraint provider_kind_is_known check (kind in ('http', 'postgres')),
    constraint a_database_has_no_base_url check (kind = 'http' or base_url is null),
    constraint a_database_names_its_dsn check (kind = 'http' or secret_name is not null),
    constraint a_database_gets_no_headers check (kind = 'http' or auth ->> 'in' = 'none' and headers = '{}'),
    constraint base_url_is_http check (
        base_url ~ '^https?://[^/?#@[:space:]]+(/[^?#[:space:]]*)?$' or base_url = '{asset.base_url}'
    ),
    constraint an_address_per_asset_has_no_secret_or_its_hosts check (
        base_url <> '{asset.base_url}' or auth ->> 'in' = 'none' or coalesce(cardinality(hosts), 0) > 0
    ),
    constraint hosts_are_of_an_address_per_asset check (hosts is null or base_url = '{asset.base_url}'),
    constraint hosts_are_hosts check (array_to_string(hosts, ' ', '?') !~ '[^a-z0-9.: \[\]_-]'),
    constraint base_url_has_no_dot_segments
        check (base_url !~* '(/|\\|%2f|%5c)([.]|%2e){1,2}(/|\\|%2f|%5c|$)'),
    constraint secret_is_a_name check (secret_name ~ '^[A-Za-z_][A-Za-z0-9_]*$'),
    constraint auth_place_is_known check (auth ->> 'in' in ('none', 'query', 'header', 'bearer')),
    constraint auth_names_its_secret check (auth ->> 'in' = 'none' or secret_name is not null),
    constraint quota_is_not_negative check (quota >= 0),
    constraint buffer_is_not_negative check (quota_buffer >= 0),
    constraint quota_period_is_known check (quota_period in ('minute', 'hour', 'day', 'month')),
    constraint limits_are_positive check (
        least(requests_per_minute, burst, max_in_flight, breaker_failures) > 0
    ),
    constraint breaker_share_is_a_share check (breaker_share > 0 and breaker_share <= 1),
    constraint times_are_not_negative check (
        reset_guard >= '0' and breaker_cooldown > '0' and publication_lag >= '0' and coalesce(crawl_delay > '0', true)
    )
);

comment on table headgate.providers is 'An outside service and its rules; `local` stands for work without one.';
comment on column headgate.providers.provider_id is 'Surrogate key.';
comment on column headgate.providers.name is
    'Short name; its queues are called <name>_high, <name>_normal and <name>_low.';
comment on column headgate.providers.description is 'What the service is.';
comment on column headgate.providers.kind is
    'http: a service; postgres: a database, which answers statements.';
comment on column headgate.providers.base_url is
    'Prefix of every request''s URL; null for `local` and for databases; {asset.base_url}: each asset has its own.';
comment on column headgate.providers.hosts is
    'If base_url is {asset.base_url}: the hosts (host or host:port, in lower case) that requests may go to; null: any, '
    'which is not allowed with a secret.';
comment on column headgate.providers.auth is
    'Where the secret goes: {"in": "query" | "header" | "bearer" | "none", "name": ...}.';
comment on column headgate.providers.secret_name is
    'Name of the runner''s environment variable that holds the secret (of a database: its whole connection string); '
    'never the secret.';
comment on column headgate.providers.headers is 'Headers sent with every request.';
comment on column headgate.providers.features is
    'Features of the account that not every account has; operations name the one they need. headgate.set_provider '
    'changes it.';
comment on column headgate.providers.quota is 'Units the provider allows per window; null: no quota.';
comment on column headgate.providers.quota_buffer is 'Units of the quota that are never spent.';
comment on column headgate.providers.quota_period is 'Length of a window: minute, hour, day or month.';
comment on column headgate.providers.quota_zone is 'Time zone in which the provider''s windows begin.';
comment on column headgate.providers.reset_guard is
    'No call starts in the last moments before a window''s reset, for this long.';
comment on column headgate.providers.requests_per_minute is
    'Requests (not units) that the provider allows in any 60 seconds, spread evenly over them; null: no limit.';
comment on column headgate.providers.burst is
    'Requests that may start at once after a pause; the rest of the minute has that many fewer. Null: a tenth of a '
    'second''s worth.';
comment on column headgate.providers.crawl_delay is
    'The minimum time between two requests that its robots.txt demands, besides requests_per_minute. Null: none.';
comment on column headgate.providers.starts_at_once is 'Requests that may start at once after a pause.';
comment on column headgate.providers.start_every is
    'Time between the starts of two requests: a minute, wherever it begins, holds '
    'no more than requests_per_minute, with two per cent to spare. Null: no limit.';
comment on column headgate.providers.max_in_flight is 'Calls open at once, over all runners.';
comment on column headgate.providers.breaker_failures is 'Consecutive failures of the provider that open its breaker.';
comment on column headgate.providers.breaker_share is
    'Share of faults among a minute''s answers that also opens its breaker, once there are twice breaker_failures of '
    'them; 1: only if all are faults.';
comment on column headgate.providers.breaker_cooldown is
    'How long an open breaker blocks the provider before a probe; doubles while probes fail.';
comment on column headgate.providers.publication_lag is
    'How long after a session''s close its data is available, unless publication_lags says otherwise.';
comment on column headgate.providers.is_retired is
    'True: its plan no longer declares it; the row stays because history refers to it.';

create table headgate.publication_lags (
    provider_id bigint not null references headgate.providers,
    calendar text not null,
    lag interval not null,
    constraint publication_lags_pkey primary key (provider_id, calendar)
);

comment on table headgate.publication_lags is
    'A provider''s publication lag for one calendar, where it differs from its usual one.';
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
    fault text not null default 'item',
    charged boolean not null default true,
    blocks text,
    reason text not null,
    constraint response_rules_pkey primary key (provider_id, position),
    constraint status_is_readable check (
        status ~ '^([1-5][0-9]{2}(-[1-5][0-9]{2})?|[*]|error:(timeout|connect|cut)|sql:(ok|[0-9A-Z]{2}([0-9A-Z]{3})?))$'
    ),
    constraint rule_outcome_is_known check (outcome in ('success', 'retry', 'failed', 'deferred', 'skipped')),
    constraint rule_fault_is_known check (fault in ('item', 'provider', 'internal', 'quota')),
    constraint blocks_is_readable check (blocks ~ '^(retry_after|reset|execution|[0-9]+ seconds)$')
);

comment on table headgate.response_rules is
    'How a provider''s answers are classified: the first matching rule decides; an answer without a match is the '
    'provider''s fault.';
comment on column headgate.response_rules.provider_id is 'The provider.';
comment on column headgate.response_rules.position is 'The order in which rules are tried.';
comment on column headgate.response_rules.status is
    'HTTP status or range (500-599), error:timeout, error:connect, error:cut, or * for any; of a database sql:ok, '
    'sql:<SQLSTATE> or its class (sql:42).';
comment on column headgate.response_rules.content_type is 'Regular expression the content type must match; null: any.';
comment on column headgate.response_rules.body is 'Regular expression the start of the body must match; null: any.';
comment on column headgate.response_rules.outcome is 'The outcome for the job.';
comment on column headgate.response_rules.fault is
    'The fault: item (uses up attempts), provider (counts for the breaker), internal (ours: a token, a setting), quota '
    '(nobody''s).';
comment on column headgate.response_rules.charged is
    'False: the provider does not charge for such an answer. The units of its call are given back, and the call was '
    'not served, so it may be made again even if other calls may not.';
comment on column headgate.response_rules.blocks is
    'What the answer blocks: the provider until retry_after, reset or for N seconds, or the rest of this execution.';
comment on column headgate.response_rules.reason is
    'The reason kept with the job; {url} and {answer} are replaced by the URL and the start of the answer, which is '
    'appended if {answer} is not used.';

create table headgate.robots_rules (
    provider_id bigint not null,
    pattern text not null,
    is_allowed boolean not null,
    constraint robots_rules_pkey primary key (provider_id, pattern, is_allowed),
    constraint robots_rules_provider_fkey foreign key (provider_id) references headgate.providers (provider_id)
        on delete cascade
);

comment on table headgate.robots_rules is
    'The rules for Headgate in a site''s robots.txt, as last read: of the patterns that match a path, the longest '
    'decides.';
comment on column headgate.robots_rules.provider_id is 'The site.';
comment on column headgate.robots_rules.pattern is
    'The start of matching paths; * matches anything, $ the end. Percent-encoded like addresses of pages.';
comment on column headgate.robots_rules.is_allowed is 'Whether such pages may be read.';

-- Written only when an authorised role sets it, in a plan's file or by hand.
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
    'Where each provider''s secret is sent, as an authorised role has set it; the doctor compares it with the '
    'provider''s row.';
comment on column headgate.provider_addresses.provider_id is 'The provider.';
comment on column headgate.provider_addresses.base_url is 'Its address.';
comment on column headgate.provider_addresses.auth is 'Where in a request the secret goes.';
comment on column headgate.provider_addresses.secret_name is 'The environment variable that holds the secret.';
comment on column headgate.provider_addresses.noted_at is 'When it was set.';
comment on column headgate.provider_addresses.noted_by is 'The user who set it.';

-- Plans' operations name it.
insert into headgate.providers (name, description) values ('local', 'Work that asks nobody: handlers and SQL.');

insert into headgate.provider_addresses (provider_id, base_url, auth, secret_name, noted_at, noted_by)
select p.provider_id, p.base_url, p.auth, p.secret_name, clock_timestamp(), session_user
from headgate.providers as p;

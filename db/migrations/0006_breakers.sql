-- The current state of breakers and rate limiters.

create table headgate.rate_limiters (
    provider_id bigint not null references headgate.providers,
    next_start_at timestamptz not null default '2000-01-01 00:00:00+00',
    constraint rate_limiters_pkey primary key (provider_id)
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);

comment on table headgate.rate_limiters is 'The times granted to a provider''s requests.';
comment on column headgate.rate_limiters.provider_id is 'The provider.';
comment on column headgate.rate_limiters.next_start_at is
    'The next start time that has not been granted; earlier times have been. '
    'In the past: the provider has not been called for a while.';

-- One broken endpoint blocks itself, not its provider: both have a breaker, and both move by the same rules.
create table headgate.breakers (
    breaker_id bigint generated always as identity,
    provider_id bigint references headgate.providers,
    operation_id bigint references headgate.operations,
    failures integer not null default 0,
    auth_failures integer not null default 0,
    opened integer not null default 0,
    blocked_until timestamptz,
    blocked_reason text,
    probe_chunk_id bigint,
    counted_since timestamptz,
    counted_faults integer not null default 0,
    counted_answers integer not null default 0,
    constraint breakers_pkey primary key (breaker_id),
    constraint provider_has_one_breaker unique (provider_id),
    constraint operation_has_one_breaker unique (operation_id),
    constraint breaker_guards_one_thing check (num_nonnulls(provider_id, operation_id) = 1),
    constraint breaker_counts_are_not_negative check (
        least(failures, auth_failures, opened, counted_faults, counted_answers) >= 0
    )
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);

comment on table headgate.breakers is
    'The breaker of each provider and of each operation that makes calls. Calls flow; after failures they are blocked '
    'for a while; then one chunk probes, and its answer decides. An operation uses the thresholds of its provider.';
comment on column headgate.breakers.breaker_id is 'Surrogate key.';
comment on column headgate.breakers.provider_id is 'The provider that is guarded; null: an operation is.';
comment on column headgate.breakers.operation_id is 'The call operation that is guarded; null: a provider is.';
comment on column headgate.breakers.failures is 'Consecutive failures of the calls since their last answer.';
comment on column headgate.breakers.auth_failures is
    'Consecutive internal faults in calling (a refused token) '
    'since the last answer; they block nothing but their execution.';
comment on column headgate.breakers.opened is 'How often it has opened in a row; each time doubles the cool-down.';
comment on column headgate.breakers.blocked_until is
    'No call is made before; null: calls flow. After the breaker has opened, a probe goes first. '
    'Null while a provider''s breaker is open: one operation failed, and another one probes.';
comment on column headgate.breakers.blocked_reason is 'Why it is blocked.';
comment on column headgate.breakers.probe_chunk_id is 'The chunk that probes.';
comment on column headgate.breakers.counted_since is
    'The time of the fault from which the share of faults is counted, for a minute; null: there was none since the '
    'breaker last opened or closed.';
comment on column headgate.breakers.counted_faults is 'Faults counted since then.';
comment on column headgate.breakers.counted_answers is 'Answers counted since then.';

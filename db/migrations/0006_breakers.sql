-- The current state of breakers and rate limiters.

create table headgate.provider_breakers (
    provider_id bigint not null references headgate.providers,
    next_start_at timestamptz not null default '2000-01-01 00:00:00+00',
    failures integer not null default 0,
    opened integer not null default 0,
    blocked_until timestamptz,
    blocked_reason text,
    probe_chunk_id bigint,
    counted_since timestamptz,
    counted_faults integer not null default 0,
    counted_answers integer not null default 0,
    auth_failures integer not null default 0,
    constraint provider_breakers_pkey primary key (provider_id),
    constraint breaker_counts_are_not_negative check (least(failures, opened) >= 0)
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);

comment on table headgate.provider_breakers is
    'A provider''s breaker and rate limiter: failures counted, and start times granted to requests.';
comment on column headgate.provider_breakers.provider_id is 'The provider.';
comment on column headgate.provider_breakers.next_start_at is
    'The next start time that has not been granted yet; in the past if the provider has been idle.';
comment on column headgate.provider_breakers.failures is 'Consecutive failures of the provider since its last answer.';
comment on column headgate.provider_breakers.opened is 'Times the breaker has opened in a row; doubles the cool-down.';
comment on column headgate.provider_breakers.blocked_until is
    'No call is made before; null: calls flow. After a breaker a probe goes first. Null while opened > 0: one '
    'operation failed, and another one probes.';
comment on column headgate.provider_breakers.blocked_reason is 'Why it is blocked.';
comment on column headgate.provider_breakers.probe_chunk_id is 'The chunk that probes a half-open breaker.';
comment on column headgate.provider_breakers.counted_since is
    'The fault from which the share is counted, for a minute; null: no fault since the breaker last changed.';
comment on column headgate.provider_breakers.counted_faults is 'Faults of the provider counted since then.';
comment on column headgate.provider_breakers.counted_answers is 'Answers counted since then.';
comment on column headgate.provider_breakers.auth_failures is
    'Consecutive internal faults in calling it (a rejected token) since its last answer; they block only their '
    'execution.';

-- One broken endpoint blocks itself, not its provider.
create table headgate.operation_breakers (
    operation_id bigint not null references headgate.operations,
    failures integer not null default 0,
    opened integer not null default 0,
    blocked_until timestamptz,
    blocked_reason text,
    probe_chunk_id bigint,
    counted_since timestamptz,
    counted_faults integer not null default 0,
    counted_answers integer not null default 0,
    constraint operation_breakers_pkey primary key (operation_id),
    constraint breaker_counts_are_not_negative check (least(failures, opened, counted_faults, counted_answers) >= 0)
) with (fillfactor = 50);

comment on table headgate.operation_breakers is
    'The breaker of an operation''s calls, with the thresholds of its provider; no row: no fault yet.';
comment on column headgate.operation_breakers.operation_id is 'The operation whose calls are counted.';
comment on column headgate.operation_breakers.failures is 'Consecutive failures of its calls since their last answer.';
comment on column headgate.operation_breakers.opened is 'Times its breaker has opened in a row; doubles the cool-down.';
comment on column headgate.operation_breakers.blocked_until is
    'No call is made before; null: calls flow. After a breaker a probe goes first.';
comment on column headgate.operation_breakers.blocked_reason is 'Why it is blocked.';
comment on column headgate.operation_breakers.probe_chunk_id is 'The chunk that probes its half-open breaker.';
comment on column headgate.operation_breakers.counted_since is
    'The fault from which the share is counted, for a minute; null: no fault since the breaker last changed.';
comment on column headgate.operation_breakers.counted_faults is 'Faults counted since then.';
comment on column headgate.operation_breakers.counted_answers is 'Answers counted since then.';

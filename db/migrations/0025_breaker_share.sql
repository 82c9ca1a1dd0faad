-- The breaker also opens by the share of faults among a minute's answers; refused tokens are counted.

alter table headgate.providers
    add column breaker_share numeric not null default 0.5
    constraint breaker_share_is_a_share check (breaker_share > 0 and breaker_share <= 1);
comment on column headgate.providers.breaker_share is
    'Share of faults among a minute''s answers that opens its breaker, too, once they are twice breaker_failures; 1: only if all are.';

alter table headgate.provider_gates
    add column refusals integer not null default 0,
    add column counted_since timestamptz,
    add column counted_faults integer not null default 0,
    add column counted_answers integer not null default 0;
comment on column headgate.provider_gates.refusals is
    'Consecutive faults of the house in asking it (a refused token) since its last answer; they close nothing but their execution.';
comment on column headgate.provider_gates.counted_since is
    'The fault from which its share is counted, for a minute; null: there was none since the breaker last moved.';
comment on column headgate.provider_gates.counted_faults is 'Faults of the provider counted since then.';
comment on column headgate.provider_gates.counted_answers is 'Its answers counted since then.';

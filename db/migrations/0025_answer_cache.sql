-- The answer cache. Its tables are unlogged: a crash of the server empties them, and the answers are then requested
-- again.

create unlogged table headgate.cached_answers (
    key text not null collate "C",
    operation_id bigint not null,
    payload text not null,
    answer jsonb not null,
    bytes integer not null,
    answered_at timestamptz not null,
    expires_at timestamptz not null,
    constraint cached_answers_pkey primary key (key)
);

comment on table headgate.cached_answers is
    'Answers of successful requests, for equal requests. The setting cache_bytes limits their size; those that expire '
    'first are deleted first.';
comment on column headgate.cached_answers.key is
    'Hash of provider, address, method, URL, headers, body, the name of the secret''s variable and a fingerprint of 16 '
    'bits of its value.';
comment on column headgate.cached_answers.operation_id is 'The operation whose job stored it.';
comment on column headgate.cached_answers.payload is
    'The payload for the ingest function: the body, or its parsed form.';
comment on column headgate.cached_answers.answer is 'Its status and headers.';
comment on column headgate.cached_answers.bytes is 'Its size.';
comment on column headgate.cached_answers.answered_at is 'When it was stored.';
comment on column headgate.cached_answers.expires_at is 'When it becomes useless to the operation that stored it.';

create index cached_answers_expiry_idx on headgate.cached_answers (expires_at);
comment on index headgate.cached_answers_expiry_idx is 'Finds the answers to delete.';

create index cached_answers_size_idx on headgate.cached_answers (operation_id) include (bytes);
comment on index headgate.cached_answers_size_idx is 'Sums the sizes of an operation''s answers.';

create unlogged table headgate.fetches (
    key text not null collate "C",
    chunk_id bigint not null,
    lease_no integer not null,
    asset_id bigint not null,
    constraint fetches_pkey primary key (key)
);

comment on table headgate.fetches is
    'Requests in flight whose answers may be cached; equal requests wait while the lease is held.';
comment on column headgate.fetches.key is 'The request, as in cached_answers.';
comment on column headgate.fetches.chunk_id is 'The chunk in which it is made.';
comment on column headgate.fetches.lease_no is 'The lease under which it is made.';
comment on column headgate.fetches.asset_id is 'The asset for which it is made.';

create index fetches_lease_idx on headgate.fetches (chunk_id);
comment on index headgate.fetches_lease_idx is 'Finds the requests of a chunk.';

create unlogged table headgate.cache_size (
    is_only boolean not null default true,
    bytes bigint not null,
    crowded_at timestamptz,
    constraint cache_size_pkey primary key (is_only),
    constraint cache_has_one_size check (is_only)
);

comment on table headgate.cache_size is 'The size of all cached answers: one row, or none before the first.';
comment on column headgate.cache_size.is_only is 'True.';
comment on column headgate.cache_size.bytes is 'Their size in bytes.';
comment on column headgate.cache_size.crowded_at is
    'When answers that had not expired were last deleted, to make room for newer ones; null: never.';

create table headgate.cache_counts (
    operation_id bigint not null references headgate.operations,
    execution_id bigint not null references headgate.process_executions on delete cascade,
    hits bigint not null default 0,
    misses bigint not null default 0,
    coalesced bigint not null default 0,
    constraint cache_counts_pkey primary key (operation_id, execution_id),
    constraint coalesced_are_hits check (coalesced between 0 and hits)
);

comment on table headgate.cache_counts is 'How often an operation''s jobs in an execution were served from the cache.';
comment on column headgate.cache_counts.operation_id is 'The operation.';
comment on column headgate.cache_counts.execution_id is 'The execution.';
comment on column headgate.cache_counts.hits is 'Jobs that were served from the cache.';
comment on column headgate.cache_counts.misses is 'Requests that were made.';
comment on column headgate.cache_counts.coalesced is 'Hits that had waited for an equal request in flight.';

create index cache_counts_execution_idx on headgate.cache_counts (execution_id);
comment on index headgate.cache_counts_execution_idx is 'Finds the counts of an execution.';

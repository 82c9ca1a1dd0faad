-- Chunks: the work in flight. A row exists until the last of its jobs has ended.

create table headgate.chunks (
    chunk_id bigint generated always as identity,
    execution_id bigint not null references headgate.process_executions,
    step text not null,
    round integer not null,
    operation_id bigint not null references headgate.operations,
    call_operation_id bigint not null,
    is_bulk boolean not null generated always as (call_operation_id <> operation_id) stored,
    provider_id bigint not null references headgate.providers,
    group_key text not null,
    priority smallint not null,
    asset_ids bigint[] not null,
    sessions date[],
    records integer[],
    calls integer not null,
    units integer not null,
    window_opened_at timestamptz,
    state text not null default 'planned',
    queue text not null,
    msg_id bigint,
    lease_no integer not null default 0,
    runner text,
    leased_until timestamptz,
    lost_reason text,
    pool text,
    pool_slots smallint,
    waits_for_pool text,
    wake_at timestamptz,
    park_until timestamptz,
    park_reason text,
    retry_count integer not null default 0,
    attempt integer not null default 1,
    lease_expirations integer not null default 0,
    charged_units integer not null default 0,
    request_count integer not null default 0,
    planned_at timestamptz not null,
    constraint chunks_pkey primary key (chunk_id),
    constraint chunks_call_operation_fkey
        foreign key (call_operation_id) references headgate.operations,
    constraint chunk_has_jobs check (cardinality(asset_ids) > 0),
    constraint records_are_of_its_jobs check (cardinality(records) = cardinality(asset_ids)),
    constraint bulk_call_names_its_sessions
        check (is_bulk = (sessions is not null) and cardinality(sessions) = calls),
    constraint charge_is_not_negative check (least(calls, units, charged_units, request_count, lease_expirations) >= 0),
    constraint retry_count_is_not_negative check (retry_count >= 0),
    constraint chunk_state_is_known check (state in ('planned', 'queued', 'leased', 'parked')),
    constraint leased_has_a_holder check (
        state <> 'leased' or (runner is not null and leased_until is not null and lease_no > 0)
    ),
    constraint sent_has_a_message check ((state in ('queued', 'leased')) = (msg_id is not null)),
    constraint pool_has_its_slots check ((pool is null) = (pool_slots is null)),
    constraint parked_wakes check (
        state <> 'parked' or (wake_at is not null and (park_until is not null or waits_for_pool is not null))
    )
) with (
    -- A small, high-churn table: room in the page, and vacuum at a fixed number of dead rows. The queues' own tables
    -- belong to pgmq; headgate.check_plans tunes them.
    fillfactor = 70,
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 2000,
    autovacuum_vacuum_cost_delay = 0,
    autovacuum_analyze_scale_factor = 0,
    autovacuum_analyze_threshold = 5000
);

comment on table headgate.chunks is 'Jobs that travel together in one message and have not all ended.';
comment on column headgate.chunks.chunk_id is 'Surrogate key; what the message carries.';
comment on column headgate.chunks.execution_id is 'The execution.';
comment on column headgate.chunks.step is 'The step.';
comment on column headgate.chunks.round is 'The step''s round.';
comment on column headgate.chunks.operation_id is 'The need that its jobs serve.';
comment on column headgate.chunks.call_operation_id is
    'The bulk or batch call that serves the chunk; null: each asset is called for by the operation itself.';
comment on column headgate.chunks.is_bulk is 'True: each call serves all of its assets; false: one call for each.';
comment on column headgate.chunks.provider_id is 'The provider it calls.';
comment on column headgate.chunks.group_key is 'The group its assets belong to.';
comment on column headgate.chunks.priority is 'The operation''s priority.';
comment on column headgate.chunks.asset_ids is 'The jobs that have not ended, in rank order.';
comment on column headgate.chunks.sessions is
    'For a bulk call: the sessions without an answer yet, one call each; for a batch call, which has no sessions, a '
    'single null. Null: a call for each asset.';
comment on column headgate.chunks.records is
    'For a bulk call: rows changed by answers for earlier sessions, in the order of asset_ids; null: no answer yet.';
comment on column headgate.chunks.calls is 'Calls still to be made.';
comment on column headgate.chunks.units is 'Units of those calls in total.';
comment on column headgate.chunks.window_opened_at is
    'The quota window that carries those units: reserved before the lease, spent during it; null: none.';
comment on column headgate.chunks.state is 'planned, queued, leased or parked.';
comment on column headgate.chunks.queue is 'The pgmq queue it travels in.';
comment on column headgate.chunks.msg_id is 'Its message.';
comment on column headgate.chunks.lease_no is 'Fencing token: grows with each lease; an older one changes nothing.';
comment on column headgate.chunks.runner is 'The runner that holds, or last held, the lease.';
comment on column headgate.chunks.leased_until is 'End of the lease, in real time.';
comment on column headgate.chunks.lost_reason is 'Why its last lease was given up; null: it expired.';
comment on column headgate.chunks.pool is
    'The pool whose slots its lease takes, from its operation when it was last sent; null: none.';
comment on column headgate.chunks.pool_slots is 'How many slots its lease takes.';
comment on column headgate.chunks.waits_for_pool is
    'Parked until this pool has room for it, in the order of chunk_id; null: it does not wait for one.';
comment on column headgate.chunks.wake_at is 'When a parked chunk is sent again.';
comment on column headgate.chunks.park_until is 'When max_wait ends: a chunk still parked then is deferred.';
comment on column headgate.chunks.park_reason is 'Why it is parked.';
comment on column headgate.chunks.retry_count is
    'Times in a row that its jobs were parked for a retry; an answer resets it.';
comment on column headgate.chunks.attempt is 'The current attempt of its jobs.';
comment on column headgate.chunks.lease_expirations is 'Number of leases that expired.';
comment on column headgate.chunks.charged_units is 'Units charged for each of its jobs in earlier leases.';
comment on column headgate.chunks.request_count is 'Requests made for each of its jobs in earlier leases.';
comment on column headgate.chunks.planned_at is
    'When its jobs were planned; they do not clear requests made later.';

create index chunks_execution_idx on headgate.chunks (execution_id, step);
comment on index headgate.chunks_execution_idx is 'Finds what a step has in flight.';

-- Not by state: a lease changes the state, and must not touch an index.
create index chunks_wake_idx on headgate.chunks (wake_at) where wake_at is not null;
comment on index headgate.chunks_wake_idx is 'Finds parked chunks that are due.';

create index chunks_queue_idx on headgate.chunks (queue, msg_id) where msg_id is not null;
comment on index headgate.chunks_queue_idx is 'Finds the queues that hold messages, and their first chunks.';

-- Chunks that are sent are found by their message, so a lease touches no index here either.
create index chunks_pool_idx on headgate.chunks (pool) where pool is not null and msg_id is not null;
comment on index headgate.chunks_pool_idx is 'Finds the leases that take a pool''s slots.';

create index chunks_waits_for_pool_idx on headgate.chunks (waits_for_pool, chunk_id) where waits_for_pool is not null;
comment on index headgate.chunks_waits_for_pool_idx is 'Finds chunks that wait for a pool, in order.';

-- The needs of assets: one row per asset and operation, and one index that finds what is due.

create table headgate.asset_processing_state (
    operation_id bigint not null references headgate.operations,
    asset_id bigint not null references headgate.assets,
    priority smallint not null,
    next_due_at timestamptz,
    watermark timestamptz,
    source_snapshot pg_snapshot,
    cursor text,
    etag text,
    last_modified text,
    chunk_id bigint,
    succeeded_at timestamptz,
    attempts integer not null default 0,
    consecutive_failures integer not null default 0,
    last_error text,
    last_failed_at timestamptz,
    reprocess_requested_at timestamptz,
    input_changed_at timestamptz,
    bulk_missed_at timestamptz,
    bulk_misses smallint not null default 0,
    alone_until timestamptz,
    constraint asset_processing_state_pkey primary key (operation_id, asset_id),
    constraint attempts_are_not_negative check (least(attempts, consecutive_failures) >= 0)
) with (
    -- Planning changes only chunk_id, which is in no index: with room in the page, no index is written.
    fillfactor = 50,
    autovacuum_vacuum_scale_factor = 0.05,
    autovacuum_vacuum_threshold = 10000,
    autovacuum_analyze_scale_factor = 0.05
);

comment on table headgate.asset_processing_state is
    'One need of one asset: its progress, when it is due, and the chunk that holds it.';
comment on column headgate.asset_processing_state.operation_id is 'The need.';
comment on column headgate.asset_processing_state.asset_id is 'The asset.';
comment on column headgate.asset_processing_state.priority is
    'Ten times the operation''s priority plus the asset''s weight class; small goes first.';
comment on column headgate.asset_processing_state.next_due_at is
    'When it is, or became, due; null: not due, or left out after too many failures.';
comment on column headgate.asset_processing_state.watermark is 'How far its data reaches; midnight UTC for a date.';
comment on column headgate.asset_processing_state.source_snapshot is
    'The snapshot of its source that the last successful read has seen; null: it keeps none.';
comment on column headgate.asset_processing_state.cursor is
    'The last cursor that an answer named, where its requests name {state.cursor}.';
comment on column headgate.asset_processing_state.etag is
    'The ETag of the last stored answer, if its requests use {state.etag}.';
comment on column headgate.asset_processing_state.last_modified is
    'Its Last-Modified, if its requests use {state.last_modified}.';
comment on column headgate.asset_processing_state.chunk_id is 'The chunk that holds it; null: free.';
comment on column headgate.asset_processing_state.succeeded_at is 'Its last success.';
comment on column headgate.asset_processing_state.attempts is 'Attempts since the last success.';
comment on column headgate.asset_processing_state.consecutive_failures is
    'Failures by its own fault since the last success; at 5 the pair is left out until it is reset.';
comment on column headgate.asset_processing_state.last_error is 'The last error; null after a success.';
comment on column headgate.asset_processing_state.last_failed_at is 'When it last failed by its own fault.';
comment on column headgate.asset_processing_state.reprocess_requested_at is
    'When it was reset; a job planned earlier does not clear it.';
comment on column headgate.asset_processing_state.input_changed_at is
    'When an input changed; a job planned earlier does not clear it.';
comment on column headgate.asset_processing_state.bulk_missed_at is
    'When a bulk answer failed or did not contain this asset: until its next success it is requested alone.';
comment on column headgate.asset_processing_state.bulk_misses is
    'Consecutive bulk answers that did not contain this asset; after two it is requested alone.';
comment on column headgate.asset_processing_state.alone_until is
    'Until when it is requested alone after two such answers; null: until a bulk answer contains it.';

create index asset_processing_state_due_idx
    on headgate.asset_processing_state (operation_id, priority, next_due_at);
comment on index headgate.asset_processing_state_due_idx is
    'Finds what is due, most urgent first, without reading what is not.';

-- Failures are rare, so the index is small and quickly finds the pairs that are left out.
create index asset_processing_state_failures_idx
    on headgate.asset_processing_state (operation_id, asset_id) where consecutive_failures > 0;
comment on index headgate.asset_processing_state_failures_idx is
    'Finds the pairs that fail, and those left out after failures.';

-- History: append-only and partitioned by month, so that old months are dropped rather than deleted.

create table headgate.asset_processing_details (
    execution_id bigint not null,
    asset_id bigint not null,
    operation_id bigint not null,
    round integer not null,
    step text not null,
    status text not null,
    reason text,
    units integer not null default 0,
    attempts integer not null default 0,
    records integer not null default 0,
    api_calls_used integer not null default 0,
    duration_ms integer not null default 0,
    cpu_ms integer,
    peak_memory bigint,
    error text,
    verdict text,
    from_cache boolean not null default false,
    ended_at timestamptz not null,
    constraint job_status_is_known check (status in ('success', 'failed', 'deferred', 'skipped', 'cancelled')),
    constraint verdict_is_known check (verdict in ('degraded', 'failed', 'retry', 'skipped'))
) partition by range (ended_at);

comment on table headgate.asset_processing_details is 'A job that was planned and has ended, one row per round.';
comment on column headgate.asset_processing_details.execution_id is 'The execution.';
comment on column headgate.asset_processing_details.asset_id is 'The asset.';
comment on column headgate.asset_processing_details.operation_id is 'The operation.';
comment on column headgate.asset_processing_details.round is 'The step''s round.';
comment on column headgate.asset_processing_details.step is 'The step.';
comment on column headgate.asset_processing_details.status is 'success, failed, deferred, skipped or cancelled.';
comment on column headgate.asset_processing_details.reason is 'Why, in a word or a sentence.';
comment on column headgate.asset_processing_details.units is 'Units charged for its calls.';
comment on column headgate.asset_processing_details.attempts is 'Requests made.';
comment on column headgate.asset_processing_details.records is 'Rows inserted or changed.';
comment on column headgate.asset_processing_details.api_calls_used is
    'The same units, as the API names them: calls charged.';
comment on column headgate.asset_processing_details.duration_ms is 'Time its calls took.';
comment on column headgate.asset_processing_details.cpu_ms is
    'Its share of the processor time that its handler took for the chunk; null: it has no handler.';
comment on column headgate.asset_processing_details.peak_memory is
    'Peak memory of the handler''s process while it computed the chunk, in bytes; null: it has no handler.';
comment on column headgate.asset_processing_details.error is 'The error, if any.';
comment on column headgate.asset_processing_details.verdict is
    'The verdict of the expectation that its last answer did not meet; a success with `degraded` is marked as such. '
    'Null: it met all.';
comment on column headgate.asset_processing_details.from_cache is
    'True: a cached answer served it, without a call.';
comment on column headgate.asset_processing_details.ended_at is 'When it ended.';

create table headgate.asset_processing_details_default
    partition of headgate.asset_processing_details default;
comment on table headgate.asset_processing_details_default is 'Details of months that have no partition of their own.';

create index asset_processing_details_history_idx
    on headgate.asset_processing_details (asset_id, operation_id, ended_at);
comment on index headgate.asset_processing_details_history_idx is 'One asset''s history, newest last.';

create index asset_processing_details_failures_idx
    on headgate.asset_processing_details (execution_id) where status = 'failed';
comment on index headgate.asset_processing_details_failures_idx is 'Finds the failures of an execution.';

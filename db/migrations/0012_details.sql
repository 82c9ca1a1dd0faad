-- History: append-only and partitioned by month, so that old months are dropped rather than deleted; and what is kept
-- of each day, for trends.

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
    on headgate.asset_processing_details (execution_id) where status in ('failed', 'deferred');
comment on index headgate.asset_processing_details_failures_idx is
    'Finds what failed or was deferred in an execution.';

-- Rows are appended in order of both, so that some bytes for each 32 pages find a run's jobs, or a day's.
create index asset_processing_details_runs_idx
    on headgate.asset_processing_details using brin (execution_id, ended_at)
    with (pages_per_range = 32, autosummarize = on);
comment on index headgate.asset_processing_details_runs_idx is
    'Finds what ended in an execution, or within some time, among months of history.';

create table headgate.job_hours (
    hour timestamptz not null,
    pipeline_id bigint not null references headgate.pipelines,
    operation_id bigint not null references headgate.operations,
    status text not null,
    jobs bigint not null,
    cached bigint not null,
    records bigint not null,
    calls bigint not null,
    units bigint not null,
    p50_seconds double precision not null,
    p95_seconds double precision not null,
    constraint job_hours_pkey primary key (hour, operation_id, pipeline_id, status)
);

comment on table headgate.job_hours is
    'Jobs that ended, by hour; runners and the maintenance add each hour once it is over.';
comment on column headgate.job_hours.hour is 'The hour''s first moment.';
comment on column headgate.job_hours.pipeline_id is 'The pipeline.';
comment on column headgate.job_hours.operation_id is 'The operation.';
comment on column headgate.job_hours.status is 'How the jobs ended.';
comment on column headgate.job_hours.jobs is 'How many jobs.';
comment on column headgate.job_hours.cached is 'Of these, jobs that a cached answer served.';
comment on column headgate.job_hours.records is 'Rows inserted or changed.';
comment on column headgate.job_hours.calls is 'Requests made.';
comment on column headgate.job_hours.units is 'Units charged for their calls.';
comment on column headgate.job_hours.p50_seconds is 'Half of the jobs'' calls took no longer.';
comment on column headgate.job_hours.p95_seconds is '95 of 100 jobs'' calls took no longer.';

create table headgate.kept_hours (
    is_only boolean not null default true,
    until timestamptz,
    constraint kept_hours_pkey primary key (is_only),
    constraint hours_are_kept_in_one_row check (is_only)
);

comment on table headgate.kept_hours is
    'Until when headgate.job_hours has all hours: one row, which is locked while a session adds some.';
comment on column headgate.kept_hours.is_only is 'True.';
comment on column headgate.kept_hours.until is 'The first moment that they do not include; null: none is kept.';

insert into headgate.kept_hours default values;

create table headgate.state_days (
    day date not null,
    operation_id bigint not null references headgate.operations,
    group_key text not null,
    assets bigint not null,
    fresh bigint not null,
    stale bigint not null,
    never bigint not null,
    oldest_watermark timestamptz,
    due bigint not null,
    oldest_due_at timestamptz,
    noted_at timestamptz not null,
    constraint state_days_pkey primary key (day, operation_id, group_key)
);

comment on table headgate.state_days is
    'How fresh each group''s data was and what was due, once a day; the maintenance notes it.';
comment on column headgate.state_days.day is 'The day, UTC.';
comment on column headgate.state_days.operation_id is 'The operation.';
comment on column headgate.state_days.group_key is 'The group.';
comment on column headgate.state_days.assets is 'Assets that need the operation.';
comment on column headgate.state_days.fresh is 'Assets that have it and are not due, or that are in every run.';
comment on column headgate.state_days.stale is 'Assets that have it and are due, or fail.';
comment on column headgate.state_days.never is 'Assets that never had it.';
comment on column headgate.state_days.oldest_watermark is 'How far the data of the most outdated asset reached.';
comment on column headgate.state_days.due is 'Assets that were due and not held by a chunk.';
comment on column headgate.state_days.oldest_due_at is 'Since when the first of them was due.';
comment on column headgate.state_days.noted_at is 'When it was noted; of several times in a day, the last.';

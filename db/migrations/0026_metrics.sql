-- Counters of metrics. They outlive the history that they count, so that they never go down.

create table headgate.job_counts (
    count_id bigint generated always as identity,
    operation_id bigint not null,
    status text not null,
    jobs bigint not null,
    requests bigint not null default 0,
    retries bigint not null default 0,
    units bigint not null default 0,
    duration_ms bigint not null default 0,
    le_100ms bigint not null default 0,
    le_250ms bigint not null default 0,
    le_500ms bigint not null default 0,
    le_1s bigint not null default 0,
    le_2500ms bigint not null default 0,
    le_10s bigint not null default 0,
    le_1min bigint not null default 0,
    le_5min bigint not null default 0,
    constraint job_counts_pkey primary key (count_id)
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);

comment on table headgate.job_counts is
    'Jobs that have ended, by operation and status. Each completion adds a row, which locks nothing; '
    'headgate._fold_counts replaces many rows by their sums.';
comment on column headgate.job_counts.count_id is 'Surrogate key.';
comment on column headgate.job_counts.operation_id is 'The operation; no reference, which each completion would check.';
comment on column headgate.job_counts.status is 'success, failed, deferred, skipped or cancelled.';
comment on column headgate.job_counts.jobs is 'Jobs that ended.';
comment on column headgate.job_counts.requests is 'Requests they made.';
comment on column headgate.job_counts.retries is 'How often they were parked to be called again.';
comment on column headgate.job_counts.units is 'Units charged for their calls.';
comment on column headgate.job_counts.duration_ms is 'Time their calls took.';
comment on column headgate.job_counts.le_100ms is 'Of the jobs, those whose calls took at most 0.1 s.';
comment on column headgate.job_counts.le_250ms is 'At most 0.25 s.';
comment on column headgate.job_counts.le_500ms is 'At most 0.5 s.';
comment on column headgate.job_counts.le_1s is 'At most 1 s.';
comment on column headgate.job_counts.le_2500ms is 'At most 2.5 s.';
comment on column headgate.job_counts.le_10s is 'At most 10 s.';
comment on column headgate.job_counts.le_1min is 'At most 60 s.';
comment on column headgate.job_counts.le_5min is 'At most 300 s.';

create table headgate.kept_counts (
    name text not null,
    labels jsonb not null,
    value bigint not null,
    constraint kept_counts_pkey primary key (name, labels),
    constraint count_is_not_negative check (value >= 0)
);

comment on table headgate.kept_counts is 'Other counters: of runs, and of what retention has deleted.';
comment on column headgate.kept_counts.name is 'The metric.';
comment on column headgate.kept_counts.labels is 'Its labels.';
comment on column headgate.kept_counts.value is 'How often.';

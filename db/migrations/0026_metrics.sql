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

create table headgate.metrics (
    name text not null,
    type text not null,
    help text not null,
    query text not null,
    timeout interval not null default '1 second',
    function text not null,
    constraint metrics_pkey primary key (name),
    constraint metric_name_is_plain check (name ~ '^[a-z][a-z0-9_]{0,54}$' and name !~ '^headgate_'),
    constraint metric_type_is_known check (type in ('counter', 'gauge')),
    constraint only_counters_end_in_total check ((type = 'counter') = (name ~ '_total$')),
    constraint metric_name_is_not_a_sample_s check (name !~ '_(bucket|sum|count|created|info)$'),
    constraint metric_has_help check (help ~ '\S'),
    constraint metric_timeout_in_range check (timeout between '0.1 second' and '1 minute')
);

comment on table headgate.metrics is 'A metric of a plan; its samples are in headgate.v_metrics.';
comment on column headgate.metrics.name is 'Its name in Prometheus.';
comment on column headgate.metrics.type is 'counter or gauge.';
comment on column headgate.metrics.help is 'What it measures.';
comment on column headgate.metrics.query is 'The query for its samples: the column value, and a column for each label.';
comment on column headgate.metrics.timeout is 'A query that takes longer is cancelled.';
comment on column headgate.metrics.function is 'The function in the plan''s schema that runs the query.';

create table headgate.group_counts (
    operation_id bigint not null,
    group_key text not null,
    assets bigint not null,
    fresh bigint not null,
    stale bigint not null,
    never bigint not null,
    oldest_watermark timestamptz,
    due bigint not null,
    oldest_due_at timestamptz,
    constraint group_counts_pkey primary key (operation_id, group_key)
);

comment on table headgate.group_counts is
    'How fresh each group''s data was at the last count, and what was due. headgate.keep_counts replaces all rows at '
    'once.';
comment on column headgate.group_counts.operation_id is 'The operation.';
comment on column headgate.group_counts.group_key is 'The group.';
comment on column headgate.group_counts.assets is 'Assets that need the operation.';
comment on column headgate.group_counts.fresh is 'Assets that have it and are not due, or that are in every run.';
comment on column headgate.group_counts.stale is 'Assets that have it and are due, or fail.';
comment on column headgate.group_counts.never is 'Assets that never had it.';
comment on column headgate.group_counts.oldest_watermark is 'How far the data of the most outdated asset reached.';
comment on column headgate.group_counts.due is 'Assets that were due and not held by a chunk.';
comment on column headgate.group_counts.oldest_due_at is 'Since when the first of them was due.';

create table headgate.group_standings (
    operation_id bigint not null,
    group_key text not null,
    standing text not null,
    assets bigint not null,
    constraint group_standings_pkey primary key (operation_id, group_key, standing)
);

comment on table headgate.group_standings is
    'How many assets of each group stood how at the last count. headgate.keep_counts replaces all rows at once.';
comment on column headgate.group_standings.operation_id is 'The operation.';
comment on column headgate.group_standings.group_key is 'The group.';
comment on column headgate.group_standings.standing is
    'Why nothing is done for these assets; "not due yet": they have a time.';
comment on column headgate.group_standings.assets is 'Assets that need the operation.';

create table headgate.group_names (
    universe text not null,
    group_key text not null,
    attribute text not null,
    name text not null,
    constraint group_names_pkey primary key (universe, group_key, attribute, name)
);

comment on table headgate.group_names is
    'The names of groups at the last count, for forms. headgate.keep_counts replaces all rows at once.';
comment on column headgate.group_names.universe is 'The universe of its assets.';
comment on column headgate.group_names.group_key is 'The group.';
comment on column headgate.group_names.attribute is 'The attribute whose value it is; empty: the name is the key.';
comment on column headgate.group_names.name is 'What a run''s parameter may call it.';

create table headgate.forecast_starts (
    pipeline_id bigint not null,
    options headgate.plan_options not null,
    classes headgate.forecast_class[] not null,
    constraint forecast_starts_pkey primary key (pipeline_id)
);

comment on table headgate.forecast_starts is
    'Where a forecast of each large pipeline began at the last count. headgate.keep_counts replaces all rows at once.';
comment on column headgate.forecast_starts.pipeline_id is 'The pipeline.';
comment on column headgate.forecast_starts.options is
    'The options it is for, without those that make no difference to it.';
comment on column headgate.forecast_starts.classes is 'Its assets, sorted into classes of equal needs.';

create table headgate.count_times (
    is_only boolean not null default true,
    counted_at timestamptz,
    next_at timestamptz,
    constraint count_times_pkey primary key (is_only),
    constraint counts_have_one_time check (is_only)
);

comment on table headgate.count_times is
    'When the rows of the tables above were counted: one row, which is locked while a session counts.';
comment on column headgate.count_times.is_only is 'True.';
comment on column headgate.count_times.counted_at is 'When its rows were counted; null: never.';
comment on column headgate.count_times.next_at is
    'When they are counted again: a minute later, or later still where counting takes long.';

insert into headgate.count_times default values;

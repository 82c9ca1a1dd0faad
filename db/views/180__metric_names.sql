-- The metrics of the core. A histogram has three samples: _bucket, _sum and _count.

drop view if exists headgate._metric_names cascade;

create view headgate._metric_names as
select m.name, m.type, m.labels, m.help
from (values
    ('headgate_jobs_total', 'counter', 'operation, status', 'Jobs that have ended.'),
    (
        'headgate_job_duration_seconds', 'histogram', 'operation',
        'Time that the calls or the handler of ended jobs took.'
    ),
    ('headgate_requests_total', 'counter', 'operation', 'Requests made by jobs that have ended.'),
    (
        'headgate_retries_total', 'counter', 'operation',
        'How often jobs that have ended had been parked to be called again.'
    ),
    ('headgate_units_total', 'counter', 'operation', 'Units charged for jobs that have ended.'),
    ('headgate_cache_requests_total', 'counter', 'operation, result', 'Requests for cached answers, by result.'),
    ('headgate_cache_bytes', 'gauge', '', 'Size of the cached answers.'),
    (
        'headgate_queue_jobs', 'gauge', 'operation, state',
        'Jobs in flight: ready in a queue, leased by a runner, or waiting.'
    ),
    ('headgate_queue_oldest_ready_seconds', 'gauge', 'operation', 'Time since the longest ready job was planned.'),
    ('headgate_waiting_jobs', 'gauge', 'operation, cause', 'What waits, by cause: jobs, steps, queued runs.'),
    (
        'headgate_breaker_open', 'gauge', 'provider, operation',
        '1 if the breaker of a provider or operation is open or probing.'
    ),
    (
        'headgate_provider_refused_calls', 'gauge', 'provider',
        'Calls in a row that failed because of our secret: 401, 403, or there is none.'
    ),
    (
        'headgate_assets', 'gauge', 'operation, group, freshness',
        'Active assets by freshness of their data: fresh, stale or never loaded.'
    ),
    ('headgate_assets_counted_timestamp_seconds', 'gauge', '', 'When headgate_assets was counted.'),
    ('headgate_quota_units', 'gauge', 'provider, kind', 'Units of the open quota window, by kind.'),
    ('headgate_quota_window_ends_timestamp_seconds', 'gauge', 'provider', 'When the open quota window closes.'),
    ('headgate_pool_slots', 'gauge', 'pool, state', 'Slots of a pool that are used or free.'),
    ('headgate_pool_waiting_jobs', 'gauge', 'pool', 'Jobs that wait for slots of a pool.'),
    ('headgate_artifacts', 'gauge', 'store', 'Files in a store.'),
    ('headgate_artifact_bytes', 'gauge', 'store', 'Size of the files in a store.'),
    (
        'headgate_runs_total', 'counter', 'pipeline, status',
        'Runs that have ended; a reopened run counts each time it ends.'
    ),
    ('headgate_run_duration_seconds', 'gauge', 'pipeline', 'Duration of the run that ended last.'),
    ('headgate_run_ended_timestamp_seconds', 'gauge', 'pipeline', 'When the last run ended.'),
    ('headgate_run_succeeded', 'gauge', 'pipeline', '1 if the run that ended last succeeded, otherwise 0.'),
    (
        'headgate_run_usual_duration_seconds', 'gauge', 'pipeline',
        'Median duration of the last ten runs that succeeded.'
    ),
    (
        'headgate_run_running_seconds', 'gauge', 'pipeline',
        'How long the current run has been running; 0 if there is none.'
    ),
    ('headgate_run_deadline_seconds', 'gauge', 'pipeline', 'The time limit that its plan gives a run.'),
    ('headgate_step_duration_seconds', 'gauge', 'pipeline, step', 'Duration of a step in the run that ended last.'),
    ('headgate_metric_errors', 'gauge', 'metric', '1 if a metric of a plan has failed now, otherwise 0.'),
    ('headgate_runners', 'gauge', '', 'Runners that are alive.'),
    ('headgate_runner_leases', 'gauge', '', 'Chunks that runners hold.'),
    (
        'headgate_runner_connections', 'gauge', 'kind',
        'Requests of the runners alive, by whether their connection was reused.'
    ),
    ('headgate_runner_memory_bytes', 'gauge', '', 'Memory of the processes of the runners alive.'),
    ('headgate_runner_peak_memory_bytes', 'gauge', '', 'Highest peak memory of the processes of the runners alive.'),
    ('headgate_runner_disk_used_ratio', 'gauge', '', 'How full the fullest disk of the runners alive is.'),
    ('headgate_alerts_open', 'gauge', 'severity', 'Open alerts.'),
    (
        'headgate_database_value', 'gauge', 'measure',
        'A measure of the database''s health, in the unit that its name says.'
    ),
    ('headgate_database_verdict', 'gauge', 'measure', '0 if the measure is within its threshold, otherwise 1.'),
    (
        'headgate_database_bytes', 'gauge', '',
        'Size of the database''s tables and indexes when each was last vacuumed or analyzed.'
    ),
    (
        'headgate_slot_retained_bytes', 'gauge', 'slot',
        'How much of its log the server keeps for a replication slot.'
    )
) as m (name, type, labels, help);

comment on view headgate._metric_names is 'The metrics of the core.';
comment on column headgate._metric_names.name is 'The name.';
comment on column headgate._metric_names.type is 'counter, gauge or histogram.';
comment on column headgate._metric_names.labels is 'The names of its labels.';
comment on column headgate._metric_names.help is 'What it measures.';

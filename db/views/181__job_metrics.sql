-- Metrics of operations: their jobs, queues and breakers, and how fresh their data are.

drop view if exists headgate._job_metrics cascade;

create view headgate._job_metrics as
with counted as materialized (
    select
        o.name as operation, c.status, sum(c.jobs) as jobs, sum(c.requests) as requests, sum(c.retries) as retries,
        sum(c.units) as units, sum(c.duration_ms) / 1000.0 as seconds, sum(c.le_100ms) as le_100ms,
        sum(c.le_250ms) as le_250ms, sum(c.le_500ms) as le_500ms, sum(c.le_1s) as le_1s,
        sum(c.le_2500ms) as le_2500ms, sum(c.le_10s) as le_10s, sum(c.le_1min) as le_1min, sum(c.le_5min) as le_5min
    from headgate.job_counts as c
    join headgate.operations as o using (operation_id)
    group by o.name, c.status
),
in_flight as materialized (
    select
        c.operation_id,
        coalesce(sum(cardinality(c.asset_ids)) filter (where c.state = 'queued'), 0) as ready,
        coalesce(sum(cardinality(c.asset_ids)) filter (where c.state = 'leased'), 0) as leased,
        coalesce(sum(cardinality(c.asset_ids)) filter (where c.state = 'parked'), 0) as waiting,
        min(c.planned_at) filter (where c.state = 'queued') as oldest_at
    from headgate.chunks as c
    group by c.operation_id
)
select
    'headgate_jobs_total' as metric, '' as suffix,
    jsonb_build_object('operation', c.operation, 'status', c.status) as labels, c.jobs::double precision as value
from counted as c
union all
select t.metric, '', jsonb_build_object('operation', c.operation), sum(t.value)
from counted as c
cross join lateral (values
    ('headgate_requests_total', c.requests), ('headgate_retries_total', c.retries), ('headgate_units_total', c.units)
) as t (metric, value)
group by t.metric, c.operation
union all
select
    'headgate_job_duration_seconds', t.suffix,
    jsonb_strip_nulls(jsonb_build_object('operation', c.operation, 'le', t.le)), sum(t.value)
from counted as c
cross join lateral (values
    ('_bucket', '0.1', c.le_100ms), ('_bucket', '0.25', c.le_250ms), ('_bucket', '0.5', c.le_500ms),
    ('_bucket', '1.0', c.le_1s), ('_bucket', '2.5', c.le_2500ms), ('_bucket', '10.0', c.le_10s),
    ('_bucket', '60.0', c.le_1min), ('_bucket', '300.0', c.le_5min), ('_bucket', '+Inf', c.jobs),
    ('_sum', null, c.seconds), ('_count', null, c.jobs)
) as t (suffix, le, value)
where c.status in ('success', 'failed')
group by t.suffix, c.operation, t.le
union all
select 'headgate_queue_jobs', '', jsonb_build_object('operation', o.name, 'state', t.state), t.jobs
from headgate.operations as o
left join in_flight as f using (operation_id)
cross join lateral (values
    ('ready', coalesce(f.ready, 0)), ('leased', coalesce(f.leased, 0)), ('waiting', coalesce(f.waiting, 0))
) as t (state, jobs)
where not o.is_retired
union all
select
    'headgate_queue_oldest_ready_seconds', '', jsonb_build_object('operation', o.name),
    coalesce(extract(epoch from (select headgate.clock()) - f.oldest_at), 0)
from headgate.operations as o
left join in_flight as f using (operation_id)
where not o.is_retired
union all
select
    'headgate_waiting_jobs', '', jsonb_build_object('operation', w.operation, 'cause', w.cause), sum(w.jobs)
from headgate.v_waiting as w
group by w.operation, w.cause
union all
select t.metric, '', jsonb_build_object('provider', p.provider), t.value
from headgate.v_provider_health as p
cross join lateral (values
    ('headgate_breaker_open', (p.state <> 'flowing')::integer), ('headgate_provider_refused_calls', p.auth_failures)
) as t (metric, value)
union all
select
    'headgate_breaker_open', '', jsonb_build_object('provider', o.provider, 'operation', o.operation),
    (o.state <> 'flowing')::integer
from headgate.v_operation_health as o
union all
select 'headgate_cache_requests_total', '', r.labels, sum(r.requests)
from (
    select jsonb_build_object('operation', o.name, 'result', t.result) as labels, t.requests
    from headgate.cache_counts as c
    join headgate.operations as o using (operation_id)
    cross join lateral (values
        ('hit', c.hits - c.coalesced), ('miss', c.misses), ('coalesced', c.coalesced)
    ) as t (result, requests)
    union all
    select k.labels, k.value from headgate.kept_counts as k where k.name = 'headgate_cache_requests_total'
) as r
group by r.labels
union all
select 'headgate_cache_bytes', '', '{}', coalesce((select z.bytes from headgate.cache_size as z), 0);

comment on view headgate._job_metrics is 'Samples of the metrics of operations.';
comment on column headgate._job_metrics.metric is 'The metric.';
comment on column headgate._job_metrics.suffix is 'Of a histogram the kind of sample, otherwise empty.';
comment on column headgate._job_metrics.labels is 'The sample''s labels.';
comment on column headgate._job_metrics.value is 'Its value.';

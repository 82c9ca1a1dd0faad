-- Metrics of what operations share: quota, pools, stores, runners, alerts and the database; and freshness.

drop view if exists headgate._state_metrics cascade;

create view headgate._state_metrics as
with runner as materialized (
    select
        count(*) as runners, coalesce(sum(r.leases), 0) as leases,
        coalesce(sum(r.connections_opened), 0) as opened, coalesce(sum(r.connections_reused), 0) as reused,
        coalesce(sum(r.memory), 0) as memory, coalesce(max(r.peak_memory), 0) as peak_memory,
        max(r.disk_percent) / 100 as disk_used
    from headgate.v_runners as r
    where r.last_seen_at > clock_timestamp() - interval '15 seconds'
),
quota as materialized (
    select q.*
    from headgate.v_quota as q
    cross join (select headgate.clock() as now offset 0) as t
    where q.opened_at <= t.now
        and t.now < q.closes_at
),
freshness as materialized (
    select f.* from headgate.v_counted_freshness as f
)
select
    'headgate_assets' as metric, '' as suffix,
    jsonb_build_object('operation', f.operation, 'group', f.group_key, 'freshness', t.freshness) as labels,
    t.assets::double precision as value
from (
    -- Groups can be as many as the data have: the ten largest of an operation have samples of their own.
    select
        r.operation,
        case when r.nth <= 10 then r.group_key else 'other' end as group_key,
        sum(r.fresh) as fresh,
        sum(r.stale) as stale,
        sum(r.never) as never
    from (
        select
            d.*, row_number() over (partition by d.operation order by d.assets desc, d.group_key) as nth
        from freshness as d
    ) as r
    group by 1, 2
) as f
cross join lateral (values ('fresh', f.fresh), ('stale', f.stale), ('never', f.never)) as t (freshness, assets)
union all
select 'headgate_assets_counted_timestamp_seconds', '', '{}', extract(epoch from max(f.counted_at))
from freshness as f
having count(*) > 0
union all
select 'headgate_quota_units', '', jsonb_build_object('provider', q.provider, 'kind', t.kind), t.units
from quota as q
cross join lateral (values
    ('limit', q.usable), ('spent', q.spent), ('reserved', q.reserved), ('elsewhere', q.used_elsewhere),
    ('left', q.remaining)
) as t (kind, units)
union all
select
    'headgate_quota_window_ends_timestamp_seconds', '', jsonb_build_object('provider', q.provider),
    extract(epoch from q.closes_at)
from quota as q
union all
select 'headgate_pool_slots', '', jsonb_build_object('pool', p.pool, 'state', t.state), t.slots
from headgate.v_pools as p
cross join lateral (values ('used', p.used), ('free', greatest(0, p.slots - p.used))) as t (state, slots)
union all
select 'headgate_pool_waiting_jobs', '', jsonb_build_object('pool', p.pool), p.waiting
from headgate.v_pools as p
union all
select t.metric, '', jsonb_build_object('store', s.store), t.value
from headgate.v_stores as s
cross join lateral (values ('headgate_artifacts', s.files), ('headgate_artifact_bytes', s.bytes)) as t (metric, value)
union all
select t.metric, '', t.labels::jsonb, t.value
from runner as r
cross join lateral (values
    ('headgate_runners', '{}', r.runners),
    ('headgate_runner_leases', '{}', r.leases),
    ('headgate_runner_connections', '{"kind": "opened"}', r.opened),
    ('headgate_runner_connections', '{"kind": "reused"}', r.reused),
    ('headgate_runner_memory_bytes', '{}', r.memory),
    ('headgate_runner_peak_memory_bytes', '{}', r.peak_memory),
    ('headgate_runner_disk_used_ratio', '{}', r.disk_used)
) as t (metric, labels, value)
where t.value is not null  -- without a runner there is no disk
union all
select 'headgate_alerts_open', '', jsonb_build_object('severity', t.severity), count(a.subject)
from (values ('warning'), ('error')) as t (severity)
left join headgate.v_alerts as a on a.severity = t.severity and a.resolved_at is null
group by t.severity
union all
select t.metric, '', jsonb_build_object('measure', h.measure), t.value
from headgate.v_database_health as h
cross join lateral (values
    ('headgate_database_value', h.value), ('headgate_database_verdict', (h.value > h.threshold)::integer)
) as t (metric, value)
where h.value is not null
union all
select 'headgate_database_bytes', '', '{}', sum(c.relpages::bigint) * current_setting('block_size')::integer
from pg_class as c
union all
select
    'headgate_slot_retained_bytes', '', jsonb_build_object('slot', s.slot_name),
    pg_wal_lsn_diff(
        case when pg_is_in_recovery() then pg_last_wal_replay_lsn() else pg_current_wal_lsn() end, s.restart_lsn
    )
from pg_replication_slots as s
where s.restart_lsn is not null;

comment on view headgate._state_metrics is 'Samples of the metrics of what operations share.';
comment on column headgate._state_metrics.metric is 'The metric.';
comment on column headgate._state_metrics.suffix is 'Of a histogram the kind of sample, otherwise empty.';
comment on column headgate._state_metrics.labels is 'The sample''s labels.';
comment on column headgate._state_metrics.value is 'Its value.';

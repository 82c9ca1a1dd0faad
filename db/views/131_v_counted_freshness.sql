-- Freshness for readers that ask often: as a runner counted it last. Without a runner alive that keeps the counts, it
-- is counted now.

drop view if exists headgate.v_counted_freshness cascade;

create view headgate.v_counted_freshness as
with kept as materialized (
    select k.counted_at
    from headgate.count_times as k
    cross join (select headgate.clock() as now offset 0) as t
    where t.now >= k.counted_at
        and t.now - k.next_at < k.next_at - k.counted_at
        and exists (
            select
            from headgate.runners as r
            where r.last_seen_at > clock_timestamp() - interval '15 seconds'
        )
)
select o.name as operation, c.group_key, c.assets, c.fresh, c.stale, c.never, c.oldest_watermark, k.counted_at
from kept as k
cross join headgate.group_counts as c
join headgate.operations as o using (operation_id)
where not o.is_retired
union all
select f.operation, f.group_key, f.assets, f.fresh, f.stale, f.never, f.oldest_watermark, t.now
from headgate.v_data_freshness as f
cross join (select headgate.clock() as now offset 0) as t
where not exists (select from kept)
order by operation, group_key;

comment on view headgate.v_counted_freshness is
    'headgate.v_data_freshness as the runners counted it last, at most once a minute, which takes no time to read; '
    'counted now where no runner is alive.';
comment on column headgate.v_counted_freshness.operation is 'The operation.';
comment on column headgate.v_counted_freshness.group_key is 'The group.';
comment on column headgate.v_counted_freshness.assets is 'Assets that need it.';
comment on column headgate.v_counted_freshness.fresh is
    'Assets that have it and are not due, or that are in every run.';
comment on column headgate.v_counted_freshness.stale is 'Assets that have it and are due, or fail.';
comment on column headgate.v_counted_freshness.never is 'Assets that never had it.';
comment on column headgate.v_counted_freshness.oldest_watermark is
    'How far the data of the most outdated asset reaches.';
comment on column headgate.v_counted_freshness.counted_at is 'When all of this was counted.';

-- The counts that readers rely on: those of a runner that is alive and keeps them, or any where counting takes longer
-- than a reader waits: the next count is put off then for more than a minute.

drop view if exists headgate._counted cascade;

create view headgate._counted as
select k.counted_at
from headgate.count_times as k
cross join (select headgate.clock() as now offset 0) as t
where t.now >= k.counted_at
    and (
        k.next_at - k.counted_at > interval '1 minute'
        or t.now - k.next_at < k.next_at - k.counted_at
        and exists (
            select
            from headgate.runners as r
            where r.last_seen_at > clock_timestamp() - interval '15 seconds'
        )
    );

comment on view headgate._counted is 'When the runners counted last; no row: a reader counts by itself.';
comment on column headgate._counted.counted_at is 'When.';

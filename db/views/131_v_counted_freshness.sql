-- Freshness for readers that ask often.

drop view if exists headgate.v_counted_freshness cascade;

create view headgate.v_counted_freshness as
select s.operation, s.group_key, s.assets, s.fresh, s.stale, s.never, s.oldest_watermark, s.counted_at
from headgate._counted_states as s
order by s.operation, s.group_key;

comment on view headgate.v_counted_freshness is
    'headgate.v_data_freshness as the runners counted it last, at most once a minute, which takes no time to read; '
    'where no runner is alive, counted now if that takes less than three seconds.';
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

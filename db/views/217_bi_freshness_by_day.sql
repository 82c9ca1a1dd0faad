-- Freshness by day, for analysts.

drop view if exists headgate_bi.freshness_by_day cascade;

create view headgate_bi.freshness_by_day as
select
    n.day,
    o.name as operation,
    v.name as provider,
    n.group_key,
    n.assets,
    n.fresh,
    n.stale,
    n.never,
    n.fresh::double precision / n.assets as fresh_share,
    n.oldest_watermark
from headgate._noted_states as n
join headgate.operations as o using (operation_id)
join headgate.providers as v using (provider_id);

comment on view headgate_bi.freshness_by_day is
    'How fresh the data of active assets was, by day, operation and group, when the maintenance ran; today, '
    'until it has: now.';
comment on column headgate_bi.freshness_by_day.day is 'The day, UTC.';
comment on column headgate_bi.freshness_by_day.operation is 'The operation.';
comment on column headgate_bi.freshness_by_day.provider is 'The provider that the operation calls; local: none.';
comment on column headgate_bi.freshness_by_day.group_key is 'The group.';
comment on column headgate_bi.freshness_by_day.assets is 'Assets that need it.';
comment on column headgate_bi.freshness_by_day.fresh is
    'Assets that have it and are not due, or that are in every run.';
comment on column headgate_bi.freshness_by_day.stale is 'Assets that have it and are due, or fail.';
comment on column headgate_bi.freshness_by_day.never is 'Assets that never had it.';
comment on column headgate_bi.freshness_by_day.fresh_share is 'fresh / assets, 0 to 1.';
comment on column headgate_bi.freshness_by_day.oldest_watermark is
    'How far the data of the most outdated asset reached.';

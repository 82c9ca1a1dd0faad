-- Freshness now, for analysts.

drop view if exists headgate_bi.freshness cascade;

create view headgate_bi.freshness as
select
    g.counted_at as observed_at,
    o.name as operation,
    v.name as provider,
    g.group_key,
    g.assets,
    g.fresh,
    g.stale,
    g.never,
    g.fresh::double precision / g.assets as fresh_share,
    g.oldest_watermark,
    extract(epoch from g.counted_at - g.oldest_watermark)::double precision as oldest_age_seconds
from headgate._counted_states as g
join headgate.operations as o using (operation_id)
join headgate.providers as v using (provider_id);

comment on view headgate_bi.freshness is 'How fresh the data of active assets is now, by operation and group.';
comment on column headgate_bi.freshness.observed_at is 'Now, or when runners counted it last.';
comment on column headgate_bi.freshness.operation is 'The operation.';
comment on column headgate_bi.freshness.provider is 'The provider that the operation calls; local: none.';
comment on column headgate_bi.freshness.group_key is 'The group.';
comment on column headgate_bi.freshness.assets is 'Assets that need it.';
comment on column headgate_bi.freshness.fresh is 'Assets that have it and are not due, or that are in every run.';
comment on column headgate_bi.freshness.stale is 'Assets that have it and are due, or fail.';
comment on column headgate_bi.freshness.never is 'Assets that never had it.';
comment on column headgate_bi.freshness.fresh_share is 'fresh / assets, 0 to 1.';
comment on column headgate_bi.freshness.oldest_watermark is 'How far the data of the most outdated asset reaches.';
comment on column headgate_bi.freshness.oldest_age_seconds is 'How long ago that is.';

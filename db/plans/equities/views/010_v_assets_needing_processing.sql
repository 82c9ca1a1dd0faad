-- Listings that are due now.

drop view if exists equities.v_assets_needing_processing cascade;

create view equities.v_assets_needing_processing as
select
    v.asset as ticker,
    v.asset_id,
    v.group_key,
    v.operation,
    v.reason,
    v.due_since,
    v.watermark,
    v.units
from headgate.v_assets_needing_processing as v
join headgate.v_assets as a using (asset_id)
where a.universe = 'equities';

comment on view equities.v_assets_needing_processing is
    'Listings that are due and not held by a chunk, one row per operation.';
comment on column equities.v_assets_needing_processing.ticker is 'The listing''s code, e.g. AAPL.US.';
comment on column equities.v_assets_needing_processing.asset_id is 'The listing.';
comment on column equities.v_assets_needing_processing.group_key is 'The exchange code of its requests, e.g. US.';
comment on column equities.v_assets_needing_processing.operation is 'What is due.';
comment on column equities.v_assets_needing_processing.reason is 'Why: new, reset, or its due rule.';
comment on column equities.v_assets_needing_processing.due_since is 'Since when.';
comment on column equities.v_assets_needing_processing.watermark is 'How far its data reaches.';
comment on column equities.v_assets_needing_processing.units is 'What one call costs.';

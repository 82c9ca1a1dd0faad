-- Listings that fail through their own fault.

drop view if exists equities.v_failed_assets cascade;

create view equities.v_failed_assets as
select
    v.asset as ticker,
    v.asset_id,
    v.operation,
    v.consecutive_failures,
    v.last_error,
    v.last_failed_at
from headgate.v_failed_assets as v
join headgate.v_assets as a using (asset_id)
where a.universe = 'equities';

comment on view equities.v_failed_assets is
    'Listings whose last attempts failed; from 5 failures on they wait for equities.reset_ticker_for_reprocessing.';
comment on column equities.v_failed_assets.ticker is 'The listing''s code, e.g. AAPL.US.';
comment on column equities.v_failed_assets.asset_id is 'The listing.';
comment on column equities.v_failed_assets.operation is 'What failed.';
comment on column equities.v_failed_assets.consecutive_failures is 'Failures since its last success.';
comment on column equities.v_failed_assets.last_error is 'The last error.';
comment on column equities.v_failed_assets.last_failed_at is 'When it last failed.';

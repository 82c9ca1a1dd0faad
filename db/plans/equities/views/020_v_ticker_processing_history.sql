-- What happened to each listing.

drop view if exists equities.v_ticker_processing_history cascade;

create view equities.v_ticker_processing_history as
select
    v.asset as ticker,
    v.asset_id,
    v.operation,
    v.status,
    v.ended_at,
    v.records,
    v.api_calls_used,
    v.duration_ms,
    v.attempts,
    v.error,
    v.run_id
from headgate.v_asset_processing_history as v
join headgate.v_assets as a using (asset_id)
where a.universe = 'equities';

comment on view equities.v_ticker_processing_history is
    'Jobs of listings that have ended, one row per round.';
comment on column equities.v_ticker_processing_history.ticker is 'The listing''s code, e.g. AAPL.US.';
comment on column equities.v_ticker_processing_history.asset_id is 'The listing.';
comment on column equities.v_ticker_processing_history.operation is 'What was done.';
comment on column equities.v_ticker_processing_history.status is
    'success, failed, deferred, skipped or cancelled.';
comment on column equities.v_ticker_processing_history.ended_at is 'When it ended.';
comment on column equities.v_ticker_processing_history.records is 'Rows inserted or changed.';
comment on column equities.v_ticker_processing_history.api_calls_used is 'Units its calls cost.';
comment on column equities.v_ticker_processing_history.duration_ms is 'Time its calls took.';
comment on column equities.v_ticker_processing_history.attempts is 'Requests made.';
comment on column equities.v_ticker_processing_history.error is 'The error, or why it was not done.';
comment on column equities.v_ticker_processing_history.run_id is 'The run.';

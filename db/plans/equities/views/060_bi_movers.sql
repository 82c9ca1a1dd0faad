-- Listings and how far their prices have moved, for analysts.

drop view if exists equities_bi.movers cascade;

create view equities_bi.movers as
select
    s.date,
    s.ticker,
    s.name,
    s.type,
    s.exchange,
    s.country,
    s.sector,
    s.currency,
    s.close,
    s.price_usd,
    s.turnover_usd,
    s.market_cap_usd,
    s.roc_5 as change_5_percent,
    s.roc_21 as change_21_percent,
    s.roc_252 as change_252_percent,
    s.volume_ratio_20 as volume_ratio,
    s.rsi_14 as rsi,
    s.is_fresh,
    s.published_at
from equities.v_screener as s;

comment on view equities_bi.movers is 'The published listings of the screener and how far their prices have moved.';
comment on column equities_bi.movers.date is 'The session of its last bar.';
comment on column equities_bi.movers.ticker is 'The listing''s code, e.g. AAPL.US.';
comment on column equities_bi.movers.name is 'The company''s or fund''s name.';
comment on column equities_bi.movers.type is 'Common Stock, Preferred Stock, ETF or FUND.';
comment on column equities_bi.movers.exchange is 'The exchange''s name, e.g. NASDAQ.';
comment on column equities_bi.movers.country is 'The company''s country.';
comment on column equities_bi.movers.sector is 'The company''s sector.';
comment on column equities_bi.movers.currency is 'The currency it is quoted in.';
comment on column equities_bi.movers.close is 'Last price as traded, in that currency.';
comment on column equities_bi.movers.price_usd is 'That price in US dollars.';
comment on column equities_bi.movers.turnover_usd is 'Mean turnover of 20 sessions, US dollars a day.';
comment on column equities_bi.movers.market_cap_usd is 'Market capitalisation in US dollars.';
comment on column equities_bi.movers.change_5_percent is 'Change over 5 sessions, percent.';
comment on column equities_bi.movers.change_21_percent is 'Change over 21 sessions, percent.';
comment on column equities_bi.movers.change_252_percent is 'Change over 252 sessions, percent.';
comment on column equities_bi.movers.volume_ratio is 'Volume of the last session over the mean of 20.';
comment on column equities_bi.movers.rsi is 'Relative strength index over 14 sessions, 0 to 100.';
comment on column equities_bi.movers.is_fresh is 'True: no newer bar was available when it was published.';
comment on column equities_bi.movers.published_at is 'When it was published.';

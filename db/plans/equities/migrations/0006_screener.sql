-- Rates of exchange, and what the screener shows: one wide row per listing, published as a whole.

create table equities.fx_rates (
    currency text not null,
    date date not null,
    usd double precision not null,
    constraint fx_rates_pkey primary key (currency, date),
    constraint rate_is_positive_and_finite check (usd > 0 and usd < 'infinity')
);

comment on table equities.fx_rates is 'What one unit of a currency was worth in US dollars at the end of a day.';
comment on column equities.fx_rates.currency is 'The currency, e.g. EUR.';
comment on column equities.fx_rates.date is 'The day.';
comment on column equities.fx_rates.usd is 'US dollars for one unit.';

create table equities.screener (
    like equities.technical_indicators including comments,
    ticker text not null,
    name text,
    type text,
    exchange text,
    group_key text not null,
    country text,
    sector text,
    isin text,
    currency text,
    usd_rate double precision,
    usd_rate_date date,
    price_usd double precision,
    turnover_usd double precision,
    market_cap_usd double precision,
    pe_ratio double precision,
    price_to_book double precision,
    dividend_yield double precision,
    earnings_per_share double precision,
    profit_margin double precision,
    beta double precision,
    fundamentals_at timestamptz,
    is_fresh boolean not null,
    published_at timestamptz not null,
    constraint screener_pkey primary key (asset_id),
    constraint price_is_positive check (close > 0)
);

comment on table equities.screener is
    'Listings with indicators, fundamentals and prices in US dollars, as published last; equities.v_screener shows it.';
comment on column equities.screener.ticker is 'The listing''s code, e.g. AAPL.US.';
comment on column equities.screener.name is 'The company''s or fund''s name.';
comment on column equities.screener.type is 'Common Stock, Preferred Stock, ETF or FUND.';
comment on column equities.screener.exchange is 'The exchange''s name, e.g. NASDAQ.';
comment on column equities.screener.group_key is 'The provider''s exchange code, e.g. US.';
comment on column equities.screener.country is 'The company''s country.';
comment on column equities.screener.sector is 'The company''s sector.';
comment on column equities.screener.isin is 'Its ISIN as published: wrong at times.';
comment on column equities.screener.currency is 'The currency it is quoted in.';
comment on column equities.screener.usd_rate is 'US dollars for one unit of it; null: no rate is known yet.';
comment on column equities.screener.usd_rate_date is 'The day of that rate; null: none is needed, or known.';
comment on column equities.screener.price_usd is 'close in US dollars.';
comment on column equities.screener.turnover_usd is 'turnover_20 in US dollars a day.';
comment on column equities.screener.market_cap_usd is 'Market capitalisation in US dollars. Source: fundamentals, Highlights.';
comment on column equities.screener.pe_ratio is 'Price over earnings. Source: fundamentals, Highlights.';
comment on column equities.screener.price_to_book is 'Price over book value. Source: fundamentals, Valuation.';
comment on column equities.screener.dividend_yield is 'Dividends of a year over the price, 0.02 is 2 %. Source: fundamentals, Highlights.';
comment on column equities.screener.earnings_per_share is 'Earnings per share, in its reporting currency. Source: fundamentals, Highlights.';
comment on column equities.screener.profit_margin is 'Profit over revenue, 0.1 is 10 %. Source: fundamentals, Highlights.';
comment on column equities.screener.beta is 'Beta against its market. Source: fundamentals, Technicals.';
comment on column equities.screener.fundamentals_at is 'When the fundamentals were fetched; null: there are none.';
comment on column equities.screener.is_fresh is 'True: no newer bar was out when it was published.';
comment on column equities.screener.published_at is 'When it was published.';

create index screener_sector_idx on equities.screener (sector);
comment on index equities.screener_sector_idx is 'Screens of one sector.';
create index screener_turnover_idx on equities.screener (turnover_usd);
comment on index equities.screener_turnover_idx is 'Screens of what is traded enough.';
create index screener_market_cap_idx on equities.screener (market_cap_usd);
comment on index equities.screener_market_cap_idx is 'Screens of large companies, or of small ones.';
create index screener_rsi_idx on equities.screener (rsi_14);
comment on index equities.screener_rsi_idx is 'Screens of what has risen or fallen far.';

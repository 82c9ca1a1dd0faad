-- Tables for the data files that come with the plan; the SQL files beside them load the rows into the plan's tables.

create table equities.shipped_listings (
    code text not null,
    group_key text not null,
    calendar text not null,
    exchange text not null,
    symbol text not null,
    name text,
    type text,
    currency text,
    country text,
    sector text,
    industry text,
    isin text,
    figi text,
    market_cap_bucket text,
    constraint shipped_listings_pkey primary key (code)
);

comment on table equities.shipped_listings is
    'The listings that come with the plan, as in data/equities.shipped_listings.csv.gz.';
comment on column equities.shipped_listings.code is 'The provider''s code, e.g. AAPL.US.';
comment on column equities.shipped_listings.group_key is 'The provider''s exchange code, e.g. US.';
comment on column equities.shipped_listings.calendar is 'The calendar of its sessions, e.g. XNYS.';
comment on column equities.shipped_listings.exchange is 'The exchange''s name, e.g. NASDAQ.';
comment on column equities.shipped_listings.symbol is 'The symbol on its exchange.';
comment on column equities.shipped_listings.name is 'The company''s or fund''s name.';
comment on column equities.shipped_listings.type is 'Common Stock, Preferred Stock, ETF or FUND.';
comment on column equities.shipped_listings.currency is 'The currency it is quoted in.';
comment on column equities.shipped_listings.country is 'The company''s country.';
comment on column equities.shipped_listings.sector is 'The company''s sector.';
comment on column equities.shipped_listings.industry is 'The company''s industry.';
comment on column equities.shipped_listings.isin is 'Its ISIN as published: not a key, and wrong at times.';
comment on column equities.shipped_listings.figi is 'Its FIGI.';
comment on column equities.shipped_listings.market_cap_bucket is 'Mega, Large, Mid, Small, Micro or Nano Cap.';

create table equities.shipped_sessions (
    calendar text not null,
    session date not null,
    opens_at timestamptz not null,
    closes_at timestamptz not null,
    is_early_close boolean not null,
    constraint shipped_sessions_pkey primary key (calendar, session)
);

comment on table equities.shipped_sessions is
    'The trading sessions that come with the plan, as in data/equities.shipped_sessions.csv.gz.';
comment on column equities.shipped_sessions.calendar is 'The calendar, e.g. XNYS.';
comment on column equities.shipped_sessions.session is 'The session''s date.';
comment on column equities.shipped_sessions.opens_at is 'When it opens.';
comment on column equities.shipped_sessions.closes_at is 'When it closes.';
comment on column equities.shipped_sessions.is_early_close is 'True: a half day.';

-- The owner copies the files in and reads them back.
grant usage on schema equities to headgate_owner;
grant select, insert, truncate on equities.shipped_listings, equities.shipped_sessions to headgate_owner;

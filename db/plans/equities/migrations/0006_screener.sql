-- Exchange rates, and what the screener shows: one wide row per listing, published as a whole.

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

-- The columns that screens use most come first: a row is read from its start up to the last column a screen needs, and
-- that takes most of its time (measured: 21,817 listings in two fifths of it).
create table equities.screener (
    asset_id bigint not null,
    is_fresh boolean not null,
    price_usd double precision,
    turnover_usd double precision,
    market_cap_usd double precision,
    pe_ratio double precision,
    dividend_yield double precision,
    rsi_14 double precision,
    roc_21 double precision,
    roc_126 double precision,
    roc_252 double precision,
    from_high_52w double precision,
    from_low_52w double precision,
    distance_sma_50 double precision,
    distance_sma_200 double precision,
    volatility_60 double precision,
    volume_ratio_20 double precision,
    adx_14 double precision,
    zscore_20 double precision,
    turnover_20 double precision,
    ticker text not null,
    currency text,
    sector text,
    exchange text,
    group_key text not null,
    country text,
    type text,
    name text,
    isin text,
    date date not null,
    bars integer not null,
    close double precision,
    adjusted_close double precision,
    high_52w double precision,
    low_52w double precision,
    drawdown_252 double precision,
    max_drawdown_252 double precision,
    sma_5 double precision,
    sma_10 double precision,
    sma_20 double precision,
    sma_50 double precision,
    sma_100 double precision,
    sma_200 double precision,
    ema_10 double precision,
    ema_12 double precision,
    ema_20 double precision,
    ema_26 double precision,
    ema_50 double precision,
    ema_100 double precision,
    ema_200 double precision,
    macd double precision,
    macd_signal double precision,
    macd_histogram double precision,
    atr_14 double precision,
    atr_percent double precision,
    plus_di_14 double precision,
    minus_di_14 double precision,
    stochastic_k_14 double precision,
    stochastic_d_3 double precision,
    williams_r_14 double precision,
    cci_20 double precision,
    roc_5 double precision,
    roc_63 double precision,
    bollinger_upper_20 double precision,
    bollinger_lower_20 double precision,
    bollinger_width_20 double precision,
    bollinger_percent_b double precision,
    zscore_60 double precision,
    volatility_20 double precision,
    volatility_252 double precision,
    obv double precision,
    mfi_14 double precision,
    cmf_20 double precision,
    volume double precision,
    volume_sma_20 double precision,
    volume_sma_50 double precision,
    volume_ratio_50 double precision,
    volume_zscore_20 double precision,
    calculated_at timestamptz not null,
    usd_rate double precision,
    usd_rate_date date,
    price_to_book double precision,
    earnings_per_share double precision,
    profit_margin double precision,
    beta double precision,
    fundamentals_at timestamptz,
    published_at timestamptz not null,
    constraint screener_pkey primary key (asset_id),
    constraint price_is_positive check (close > 0)
);

comment on table equities.screener is
    'Listings with indicators, fundamentals and prices in US dollars, as last published; equities.v_screener shows it.';
comment on column equities.screener.asset_id is 'The listing, as in headgate.v_assets.';
comment on column equities.screener.is_fresh is 'True: no newer bar was available when it was published.';
comment on column equities.screener.price_usd is 'close in US dollars.';
comment on column equities.screener.turnover_usd is 'turnover_20 in US dollars a day.';
comment on column equities.screener.market_cap_usd is
    'Market capitalisation in US dollars. Source: fundamentals, Highlights.';
comment on column equities.screener.pe_ratio is 'Price over earnings. Source: fundamentals, Highlights.';
comment on column equities.screener.dividend_yield is
    'Dividends of a year over the price, 0.02 is 2 %. Source: fundamentals, Highlights.';
comment on column equities.screener.rsi_14 is
    '100 * g / (g + l), g and l Wilder''s averages over 14 bars of gains '
    'and losses, 0 to 100; null: nothing moved. Source: adjusted close.';
comment on column equities.screener.roc_21 is
    'Rate of change: 100 * (close / close 21 bars ago - 1), percent; null: fewer than 22 bars. Source: adjusted close.';
comment on column equities.screener.roc_126 is
    'Rate of change: 100 * (close / close 126 bars ago - 1), '
    'percent; null: fewer than 127 bars. Source: adjusted close.';
comment on column equities.screener.roc_252 is
    'Rate of change: 100 * (close / close 252 bars ago - 1), '
    'percent; null: fewer than 253 bars. Source: adjusted close.';
comment on column equities.screener.from_high_52w is
    '100 * (close / high_52w - 1), percent, 0 or below. Source: adjusted close.';
comment on column equities.screener.from_low_52w is
    '100 * (close / low_52w - 1), percent, 0 or above. Source: adjusted close.';
comment on column equities.screener.distance_sma_50 is '100 * (close / sma_50 - 1), percent. Source: adjusted close.';
comment on column equities.screener.distance_sma_200 is '100 * (close / sma_200 - 1), percent. Source: adjusted close.';
comment on column equities.screener.volatility_60 is
    'Realised volatility: standard deviation (n - 1) of the last 60 log returns * '
    'sqrt(252) * 100, percent a year; null: fewer than 61 bars. Source: adjusted close.';
comment on column equities.screener.volume_ratio_20 is 'volume / volume_sma_20, no unit. Source: prices.volume.';
comment on column equities.screener.adx_14 is
    'Wilder''s average over 14 bars of 100 * |+DI - -DI| / (+DI + -DI), 0 to 100. Source: adjusted high, low, close.';
comment on column equities.screener.zscore_20 is
    '(close - mean) / standard deviation of the last 20 closes (n), standard deviations. Source: adjusted close.';
comment on column equities.screener.turnover_20 is
    'Mean of close * volume over 20 bars, in the listing''s currency a day. Source: adjusted close, volume.';
comment on column equities.screener.ticker is 'The listing''s code, e.g. AAPL.US.';
comment on column equities.screener.currency is 'The currency it is quoted in.';
comment on column equities.screener.sector is 'The company''s sector.';
comment on column equities.screener.exchange is 'The exchange''s name, e.g. NASDAQ.';
comment on column equities.screener.group_key is 'The provider''s exchange code, e.g. US.';
comment on column equities.screener.country is 'The company''s country.';
comment on column equities.screener.type is 'Common Stock, Preferred Stock, ETF or FUND.';
comment on column equities.screener.name is 'The company''s or fund''s name.';
comment on column equities.screener.isin is 'Its ISIN as published: wrong at times.';
comment on column equities.screener.date is 'The session of its last bar.';
comment on column equities.screener.bars is 'Number of bars read, of the last ten years.';
comment on column equities.screener.close is 'Last price as traded, in the listing''s currency. Source: prices.close.';
comment on column equities.screener.adjusted_close is
    'Last price, adjusted for splits and dividends, in the listing''s currency. Source: prices.adjusted_close.';
comment on column equities.screener.high_52w is 'Highest high of the last 364 days. Source: adjusted high.';
comment on column equities.screener.low_52w is 'Lowest low of the last 364 days. Source: adjusted low.';
comment on column equities.screener.drawdown_252 is
    '100 * (close / highest close of 252 bars - 1), percent. Source: adjusted close.';
comment on column equities.screener.max_drawdown_252 is
    'Deepest fall from the highest close before it within 252 bars, percent. Source: adjusted close.';
comment on column equities.screener.sma_5 is 'Mean of the last 5 closes, price. Source: adjusted close.';
comment on column equities.screener.sma_10 is 'Mean of the last 10 closes, price. Source: adjusted close.';
comment on column equities.screener.sma_20 is 'Mean of the last 20 closes, price. Source: adjusted close.';
comment on column equities.screener.sma_50 is 'Mean of the last 50 closes, price. Source: adjusted close.';
comment on column equities.screener.sma_100 is 'Mean of the last 100 closes, price. Source: adjusted close.';
comment on column equities.screener.sma_200 is 'Mean of the last 200 closes, price. Source: adjusted close.';
comment on column equities.screener.ema_10 is
    'Exponential average over 10 bars, alpha = 2 / 11, from the first close read on, price. Source: adjusted close.';
comment on column equities.screener.ema_12 is
    'Exponential average over 12 bars, alpha = 2 / 13, from the first close read on, price. Source: adjusted close.';
comment on column equities.screener.ema_20 is
    'Exponential average over 20 bars, alpha = 2 / 21, from the first close read on, price. Source: adjusted close.';
comment on column equities.screener.ema_26 is
    'Exponential average over 26 bars, alpha = 2 / 27, from the first close read on, price. Source: adjusted close.';
comment on column equities.screener.ema_50 is
    'Exponential average over 50 bars, alpha = 2 / 51, from the first close read on, price. Source: adjusted close.';
comment on column equities.screener.ema_100 is
    'Exponential average over 100 bars, alpha = 2 / 101, from the first close read on, price. Source: adjusted close.';
comment on column equities.screener.ema_200 is
    'Exponential average over 200 bars, alpha = 2 / 201, from the first close read on, price. Source: adjusted close.';
comment on column equities.screener.macd is 'MACD line: ema_12 - ema_26, price. Source: adjusted close.';
comment on column equities.screener.macd_signal is
    'Exponential average of the MACD line over 9 bars, price. Source: adjusted close.';
comment on column equities.screener.macd_histogram is 'macd - macd_signal, price. Source: adjusted close.';
comment on column equities.screener.atr_14 is
    'Average true range: Wilder''s average (alpha = 1/14) of max(high, close '
    'before) - min(low, close before), price. Source: adjusted high, low, close.';
comment on column equities.screener.atr_percent is '100 * atr_14 / close, percent. Source: adjusted high, low, close.';
comment on column equities.screener.plus_di_14 is
    '100 * Wilder''s average over 14 bars of upward moves of the '
    'high / atr_14, 0 to 100. Source: adjusted high, low, close.';
comment on column equities.screener.minus_di_14 is
    '100 * Wilder''s average over 14 bars of downward moves of the '
    'low / atr_14, 0 to 100. Source: adjusted high, low, close.';
comment on column equities.screener.stochastic_k_14 is
    'Slow %K: mean over 3 bars of 100 * (close - low of 14) / (high '
    'of 14 - low of 14), 0 to 100. Source: adjusted high, low, close.';
comment on column equities.screener.stochastic_d_3 is
    'Slow %D: mean of the last 3 stochastic_k_14, 0 to 100. Source: adjusted high, low, close.';
comment on column equities.screener.williams_r_14 is
    'Williams %R: -100 * (high of 14 - close) / (high of 14 - '
    'low of 14), -100 to 0. Source: adjusted high, low, close.';
comment on column equities.screener.cci_20 is
    '(typical - mean of 20) / (0.015 * mean absolute deviation of 20), typical '
    '= (high + low + close) / 3, no unit. Source: adjusted high, low, close.';
comment on column equities.screener.roc_5 is
    'Rate of change: 100 * (close / close 5 bars ago - 1), percent; null: fewer than 6 bars. Source: adjusted close.';
comment on column equities.screener.roc_63 is
    'Rate of change: 100 * (close / close 63 bars ago - 1), percent; null: fewer than 64 bars. Source: adjusted close.';
comment on column equities.screener.bollinger_upper_20 is
    'sma_20 + 2 * standard deviation (of 20 closes, n), price. Source: adjusted close.';
comment on column equities.screener.bollinger_lower_20 is
    'sma_20 - 2 * standard deviation (of 20 closes, n), price. Source: adjusted close.';
comment on column equities.screener.bollinger_width_20 is
    '100 * (upper - lower) / sma_20, percent. Source: adjusted close.';
comment on column equities.screener.bollinger_percent_b is
    '(close - lower) / (upper - lower), 0 at the lower band, 1 at the upper. Source: adjusted close.';
comment on column equities.screener.zscore_60 is
    '(close - mean) / standard deviation of the last 60 closes (n), standard deviations. Source: adjusted close.';
comment on column equities.screener.volatility_20 is
    'Realised volatility: standard deviation (n - 1) of the last 20 log returns * '
    'sqrt(252) * 100, percent a year; null: fewer than 21 bars. Source: adjusted close.';
comment on column equities.screener.volatility_252 is
    'Realised volatility: standard deviation (n - 1) of the last 252 log returns * '
    'sqrt(252) * 100, percent a year; null: fewer than 253 bars. Source: adjusted close.';
comment on column equities.screener.obv is
    'On-balance volume: sum of volume with the sign of the close''s '
    'change, over all bars read, shares. Source: adjusted close, volume.';
comment on column equities.screener.mfi_14 is
    'Money flow index: 100 * inflow / (inflow + outflow) of typical * volume '
    'over 14 bars, 0 to 100. Source: adjusted high, low, close, volume.';
comment on column equities.screener.cmf_20 is
    'Chaikin money flow: sum of ((close - low) - (high - close)) / (high - low) * volume '
    '/ sum of volume over 20 bars, -1 to 1. Source: adjusted high, low, close, volume.';
comment on column equities.screener.volume is
    'Volume of the last bar, shares, adjusted for splits. Source: prices.volume.';
comment on column equities.screener.volume_sma_20 is 'Mean volume of the last 20 bars, shares. Source: prices.volume.';
comment on column equities.screener.volume_sma_50 is 'Mean volume of the last 50 bars, shares. Source: prices.volume.';
comment on column equities.screener.volume_ratio_50 is 'volume / volume_sma_50, no unit. Source: prices.volume.';
comment on column equities.screener.volume_zscore_20 is
    '(volume - mean) / standard deviation of the last 20 volumes (n), standard deviations. Source: prices.volume.';
comment on column equities.screener.calculated_at is 'When it was calculated.';
comment on column equities.screener.usd_rate is 'US dollars for one unit of the currency; null: no rate is known yet.';
comment on column equities.screener.usd_rate_date is 'The day of that rate; null: no rate is needed, or known.';
comment on column equities.screener.price_to_book is 'Price over book value. Source: fundamentals, Valuation.';
comment on column equities.screener.earnings_per_share is
    'Earnings per share, in its reporting currency. Source: fundamentals, Highlights.';
comment on column equities.screener.profit_margin is
    'Profit over revenue, 0.1 is 10 %. Source: fundamentals, Highlights.';
comment on column equities.screener.beta is 'Beta against its market. Source: fundamentals, Technicals.';
comment on column equities.screener.fundamentals_at is 'When the fundamentals were fetched; null: there are none.';
comment on column equities.screener.published_at is 'When it was published.';

create index screener_sector_idx on equities.screener (sector);
comment on index equities.screener_sector_idx is 'Screens by sector.';
create index screener_turnover_idx on equities.screener (turnover_usd);
comment on index equities.screener_turnover_idx is 'Screens by minimum turnover.';
create index screener_market_cap_idx on equities.screener (market_cap_usd);
comment on index equities.screener_market_cap_idx is 'Screens of large companies, or of small ones.';
create index screener_rsi_idx on equities.screener (rsi_14);
comment on index equities.screener_rsi_idx is 'Screens for listings that have risen or fallen far.';

-- Listings to screen: indicators, fundamentals, freshness, and prices in one currency.

drop view if exists equities.v_screener cascade;

create view equities.v_screener as
select
    s.ticker, s.asset_id, s.name, s.type, s.exchange, s.group_key, s.country, s.sector, s.isin, s.currency,
    s.date, s.bars, s.is_fresh,
    s.close, s.usd_rate, s.usd_rate_date, s.price_usd, s.turnover_usd, s.market_cap_usd,
    s.pe_ratio, s.price_to_book, s.dividend_yield, s.earnings_per_share, s.profit_margin, s.beta,
    s.adjusted_close, s.high_52w, s.low_52w, s.from_high_52w, s.from_low_52w, s.drawdown_252, s.max_drawdown_252,
    s.sma_5, s.sma_10, s.sma_20, s.sma_50, s.sma_100, s.sma_200,
    s.ema_10, s.ema_12, s.ema_20, s.ema_26, s.ema_50, s.ema_100, s.ema_200,
    s.macd, s.macd_signal, s.macd_histogram, s.distance_sma_50, s.distance_sma_200,
    s.atr_14, s.atr_percent, s.plus_di_14, s.minus_di_14, s.adx_14,
    s.rsi_14, s.stochastic_k_14, s.stochastic_d_3, s.williams_r_14, s.cci_20,
    s.roc_5, s.roc_21, s.roc_63, s.roc_126, s.roc_252,
    s.bollinger_upper_20, s.bollinger_lower_20, s.bollinger_width_20, s.bollinger_percent_b,
    s.zscore_20, s.zscore_60, s.volatility_20, s.volatility_60, s.volatility_252,
    s.obv, s.mfi_14, s.cmf_20,
    s.volume, s.volume_sma_20, s.volume_sma_50, s.volume_ratio_20, s.volume_ratio_50, s.volume_zscore_20, s.turnover_20,
    s.calculated_at, s.fundamentals_at, s.published_at
from equities.screener as s;

comment on view equities.v_screener is
    'Listings with at least 200 bars: indicators, fundamentals, freshness and prices in US dollars, as last published.';

-- Columns of the view get the comments of the table's columns.
do $comments$
declare
    v_column record;
begin
    for v_column in
        select a.attname as name, col_description(a.attrelid, a.attnum) as meaning
        from pg_catalog.pg_attribute as a
        where a.attrelid = 'equities.screener'::pg_catalog.regclass
            and a.attnum > 0
            and not a.attisdropped
    loop
        execute format('comment on column equities.v_screener.%I is %L', v_column.name, v_column.meaning);
    end loop;
end;
$comments$;

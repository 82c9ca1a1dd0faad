-- One row per listing with indicators, its columns in the table's order. Rates and fundamentals are the latest; a
-- fundamental that is not a number becomes null.

create or replace function equities._screener_rows(p_now timestamptz)
returns setof equities.screener
language sql
stable
set search_path = pg_catalog, pg_temp
set work_mem = '64MB'
as $func$
    with rates as materialized (
        select distinct on (f.currency) f.currency, f.date, f.usd
        from equities.fx_rates as f
        order by f.currency, f.date desc
    ),
    facts as materialized (
        select distinct on (f.asset_id)
            f.asset_id,
            f.fetched_at,
            f.payload -> 'Highlights' as highlights,
            f.payload -> 'Valuation' as valuation,
            f.payload -> 'Technicals' as technicals
        from equities.fundamentals as f
        order by f.asset_id, f.fetched_at desc
    ),
    late as materialized (
        select s.asset_id
        from headgate.v_asset_states as s
        where s.universe = 'equities'
            and s.operation = 'prices_incremental'
            and s.next_due_at <= p_now
    )
    select
        t.asset_id,
        l.asset_id is null,
        t.close * x.rate,
        t.turnover_20 * x.rate,
        equities._number(f.highlights -> 'MarketCapitalization') * x.rate,
        equities._number(f.highlights -> 'PERatio'),
        equities._number(f.highlights -> 'DividendYield'),
        t.rsi_14, t.roc_21, t.roc_126, t.roc_252, t.from_high_52w, t.from_low_52w, t.distance_sma_50,
        t.distance_sma_200, t.volatility_60, t.volume_ratio_20, t.adx_14, t.zscore_20, t.turnover_20,
        a.code,
        a.attributes ->> 'currency',
        a.attributes ->> 'sector',
        a.attributes ->> 'exchange',
        a.group_key,
        a.attributes ->> 'country',
        a.attributes ->> 'type',
        a.attributes ->> 'name',
        a.attributes ->> 'isin',
        t.date, t.bars, t.close, t.adjusted_close, t.high_52w, t.low_52w, t.drawdown_252, t.max_drawdown_252, t.sma_5,
        t.sma_10, t.sma_20, t.sma_50, t.sma_100, t.sma_200, t.ema_10, t.ema_12, t.ema_20, t.ema_26, t.ema_50, t.ema_100,
        t.ema_200, t.macd, t.macd_signal, t.macd_histogram, t.atr_14, t.atr_percent, t.plus_di_14, t.minus_di_14,
        t.stochastic_k_14, t.stochastic_d_3, t.williams_r_14, t.cci_20, t.roc_5, t.roc_63, t.bollinger_upper_20,
        t.bollinger_lower_20, t.bollinger_width_20, t.bollinger_percent_b, t.zscore_60, t.volatility_20,
        t.volatility_252, t.obv, t.mfi_14, t.cmf_20, t.volume, t.volume_sma_20, t.volume_sma_50, t.volume_ratio_50,
        t.volume_zscore_20, t.calculated_at,
        x.rate,
        r.date,
        equities._number(f.valuation -> 'PriceBookMRQ'),
        equities._number(f.highlights -> 'EarningsShare'),
        equities._number(f.highlights -> 'ProfitMargin'),
        equities._number(f.technicals -> 'Beta'),
        f.fetched_at,
        p_now
    from equities.technical_indicators as t
    join headgate.v_assets as a using (asset_id)
    cross join lateral equities._quotation(a.attributes ->> 'currency') as q (currency, factor)
    left join rates as r using (currency)
    left join facts as f using (asset_id)
    left join late as l using (asset_id)
    cross join lateral (select q.factor * case q.currency when 'USD' then 1 else r.usd end) as x (rate)
    where a.universe = 'equities'
        and a.is_active;
$func$;

comment on function equities._screener_rows(timestamptz) is 'The rows that the screener shows next.';

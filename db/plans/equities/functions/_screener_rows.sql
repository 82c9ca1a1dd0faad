-- One row per listing with indicators. Rates and fundamentals are the latest; a fundamental that is no number is null.

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
        t.*,
        a.code,
        a.attributes ->> 'name',
        a.attributes ->> 'type',
        a.attributes ->> 'exchange',
        a.group_key,
        a.attributes ->> 'country',
        a.attributes ->> 'sector',
        a.attributes ->> 'isin',
        a.attributes ->> 'currency',
        x.rate,
        r.date,
        t.close * x.rate,
        t.turnover_20 * x.rate,
        equities._number(f.highlights -> 'MarketCapitalization') * x.rate,
        equities._number(f.highlights -> 'PERatio'),
        equities._number(f.valuation -> 'PriceBookMRQ'),
        equities._number(f.highlights -> 'DividendYield'),
        equities._number(f.highlights -> 'EarningsShare'),
        equities._number(f.highlights -> 'ProfitMargin'),
        equities._number(f.technicals -> 'Beta'),
        f.fetched_at,
        l.asset_id is null,
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

comment on function equities._screener_rows(timestamptz) is 'What the screener is to show.';

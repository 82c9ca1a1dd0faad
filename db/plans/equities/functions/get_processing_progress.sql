-- How far the universe is loaded. Reads only the state of needs, no price table.

create or replace function equities.get_processing_progress()
returns table (
    total_assets bigint,
    fundamentals_loaded bigint,
    prices_loaded bigint,
    indicators_calculated bigint,
    failed_assets bigint,
    percent_complete numeric
)
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $func$
    with counts as (
        select
            (select count(*) from headgate.v_assets as a where a.universe = 'equities' and a.is_active) as assets,
            count(*) filter (where s.operation = 'fundamentals_bulk' and s.succeeded_at is not null) as fundamentals,
            count(*) filter (where s.operation = 'prices_historical' and s.watermark is not null) as prices,
            count(*) filter (where s.operation = 'indicators_calculation' and s.succeeded_at is not null) as indicators,
            count(distinct s.asset_id) filter (where s.consecutive_failures > 0) as failed
        from headgate.v_asset_states as s
        where s.universe = 'equities'
            and s.is_active
    )
    select
        c.assets,
        c.fundamentals,
        c.prices,
        c.indicators,
        c.failed,
        round(coalesce(100.0 * (c.fundamentals + c.prices + c.indicators) / nullif(3 * c.assets, 0), 0), 2)
    from counts as c;
$func$;

comment on function equities.get_processing_progress() is
    'Active listings with fundamentals, prices and indicators, the number of failing ones, and the share of the three '
    'needs met.';

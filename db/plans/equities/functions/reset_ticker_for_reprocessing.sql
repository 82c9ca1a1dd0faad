-- Loads a listing again. Both price operations become due, because either may have failed.

create or replace function equities.reset_ticker_for_reprocessing(
    p_ticker text,
    p_scope text default 'all'
)
returns table (ticker text, reset integer)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_operations constant jsonb := '{
        "all": ["fundamentals_bulk", "prices_historical", "prices_incremental", "indicators_calculation"],
        "fundamentals": ["fundamentals_bulk"],
        "prices": ["prices_historical", "prices_incremental"],
        "indicators": ["indicators_calculation"]
    }';
    v_asset_id bigint;
begin
    if p_scope is null or not v_operations ? p_scope then
        raise exception using
            errcode = 'HG008',
            message = format('unknown scope: %s', coalesce(quote_literal(p_scope), 'null')),
            hint = 'scopes: all, fundamentals, prices, indicators';
    end if;

    v_asset_id := headgate.find_asset(p_universe => 'equities', p_code => p_ticker);
    return query
    select a.code, r.reset
    from headgate.v_assets as a
    cross join headgate.reset_asset(
        p_asset_id => v_asset_id,
        p_operations => array(select o.name from jsonb_array_elements_text(v_operations -> p_scope) as o (name))
    ) as r
    where a.asset_id = v_asset_id;
end;
$func$;

comment on function equities.reset_ticker_for_reprocessing(text, text) is
    'Make a listing due again (all, fundamentals, prices or indicators); returns its ticker and the number of '
    'operations.';

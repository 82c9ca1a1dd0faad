-- Turns EODHD's /eod answers that hold whole histories into bars: like ingest_prices, but where the past was restated the
-- answer takes the stored history's place as a whole, so that bars from before and after a split never stand side by side.

create or replace function equities.ingest_history(
    p_context jsonb,
    p_asset_ids bigint[],
    p_payloads text[]
)
returns setof headgate.ingest_result
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $func$
begin
    return query
    select m.* from equities._take_bars(p_context, p_asset_ids, p_payloads, true) as m;
end;
$func$;

comment on function equities.ingest_history(jsonb, bigint[], text[]) is
    'Ingest function of prices_historical: whole histories; one that was restated takes the stored one''s place.';

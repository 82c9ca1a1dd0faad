-- Turns EODHD's /eod answers into bars.
--
-- A bar is believed (prices) or not (prices_quarantine, with all that is wrong with it); a date of a listing stands in
-- exactly one of the two. A believed bar gives way to a newer believed one only: what comes badly later is dropped. A bar
-- that was not believed leaves the quarantine when it comes well.
--
-- An empty array is a success without watermark: the history has been asked for, so prices_incremental takes over, and asks
-- for everything as long as there is no watermark. A cut history (a field `warning`) fails, and so does an answer that is no
-- array of bars. The watermark is the last date received, believed or not, but never one in the future.

create or replace function equities.ingest_prices(
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
    select m.* from equities._merge_bars(p_context, p_asset_ids, p_payloads, false) as m;
exception
    -- Something is odd in one of the answers (no JSON, a cell that is no number, a date twice), or another chunk brought
    -- the same bar a moment ago: read them again with care.
    when data_exception or cardinality_violation or unique_violation or statement_too_complex then
        return query
        select m.* from equities._merge_bars_with_care(p_context, p_asset_ids, p_payloads) as m;
end;
$func$;

comment on function equities.ingest_prices(jsonb, bigint[], text[]) is
    'Ingest function of prices_historical and prices_incremental: EODHD''s daily bars into prices and prices_quarantine.';

-- Turns EODHD's /eod answers into bars.
--
-- A bar is believed (prices) or not (prices_quarantine, with all that is wrong with it); a date of a listing stands in
-- exactly one of the two. A believed bar gives way to a newer believed one only: what comes badly later is dropped. A
-- bar that was not believed leaves the quarantine when it comes well. What a bar was before it changed goes to
-- bar_revisions.
--
-- An empty array is a success without watermark: the history has been asked for, so prices_incremental takes over, and
-- asks for everything as long as there is no watermark. A cut history (a field `warning`) fails, and so does an answer
-- that is no array of bars. The watermark is the last date received, believed or not, but never one in the future.
--
-- Where the overlap shows that the past was restated, nothing is written and the whole history is asked for, unless
-- that is under way already because the lists told of the action, too. Should that answer still be the old one, the
-- next overlap shows it.

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
declare
    v_now constant timestamptz := coalesce((p_context ->> 'now')::timestamptz, headgate.clock());
    v_held constant bigint[] := equities._held_histories(p_asset_ids);
    v_results constant headgate.ingest_result[] := array(
        select m from equities._take_bars(p_context, p_asset_ids, p_payloads, false) as m
    );
    v_loaded constant bigint[] := array(select r.asset_id from unnest(v_results) as r where r.status = 'success');
    -- Whose last bar is of today or yesterday has not been silent for long: most are not asked any further.
    v_behind constant bigint[] := array(
        select r.asset_id
        from unnest(v_results) as r
        where r.status = 'success'
            and coalesce(r.watermark < date_trunc('day', v_now, 'UTC') - interval '1 day', true)
    );
begin
    perform equities._reload_restated(v_results, v_held, v_now);
    perform equities._note_holes(v_loaded, v_now, false);
    if v_behind <> '{}' then
        perform equities._note_silence(v_behind, v_now);
    end if;

    return query select * from unnest(v_results);
end;
$func$;

comment on function equities.ingest_prices(jsonb, bigint[], text[]) is
    'Ingest function of prices_incremental: EODHD''s daily bars into prices and prices_quarantine.';

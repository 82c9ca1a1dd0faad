-- Turns EODHD's /eod answers into bars.
--
-- A bar is believed (prices) or not (prices_quarantine, with all its faults); a date of a listing is in exactly one of
-- the two. Only a newer believed bar replaces a believed bar: a faulty one that comes later is dropped. A quarantined
-- bar leaves the quarantine once it comes back sound. The previous state of a changed bar goes to bar_revisions.
--
-- An empty array is a success without a watermark: the history has been loaded, so prices_incremental takes over, and
-- requests everything as long as there is no watermark. A cut history (it has a field `warning`) fails, and so does an
-- answer that is not an array of bars. The watermark is the last date received, believed or not, but never in the
-- future.
--
-- If the overlap shows that the past was restated, nothing is written and the whole history is requested, unless it is
-- already being loaded because the lists of actions reported the same action. If that answer is still the old one, the
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
    -- A listing whose last bar is from today or yesterday has not been silent for long: most need no further check.
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
    'Ingest function of prices_incremental: stores EODHD''s daily bars in prices and prices_quarantine.';

-- Turns EODHD's /eod answers that hold whole histories into bars. Same as ingest_prices, except that a restated answer
-- replaces the whole stored history, so that bars from before and after a split never stand side by side.

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
declare
    v_now constant timestamptz := coalesce((p_context ->> 'now')::timestamptz, headgate.clock());
    v_results constant headgate.ingest_result[] := array(
        select m from equities._take_bars(p_context, p_asset_ids, p_payloads, true) as m
    );
    v_loaded constant bigint[] := array(
        select r.asset_id from unnest(v_results) as r where r.status = 'success' and r.watermark is not null
    );
begin
    update equities.corporate_actions as c
    set applied_at = greatest(v_now, c.seen_at)
    where c.asset_id = any (v_loaded)
        and c.applied_at is null
        and c.ex_date <= (v_now at time zone 'UTC')::date;
    perform equities._note_holes(v_loaded, v_now, true);
    perform equities._watch_groups(
        array(select distinct a.group_key from headgate.v_assets as a where a.asset_id = any (v_loaded)), v_now
    );

    return query select * from unnest(v_results);
end;
$func$;

comment on function equities.ingest_history(jsonb, bigint[], text[]) is
    'Ingest function of prices_historical: stores whole histories; a restated one replaces the stored history.';

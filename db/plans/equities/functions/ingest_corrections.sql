-- Turns EODHD's answers of eod-bulk-last-day, all bars of an exchange and of a session that was read some sessions ago,
-- into corrections. Skips listings that have not been loaded yet (their own call will load them) and those whose
-- history waits to be reloaded.

create or replace function equities.ingest_corrections(
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
    v_day record;
    v_held bigint[];
    v_results headgate.ingest_result[];
    v_corrected bigint[];
begin
    for v_day in
        select d.asset_id, (d.attributes ->> 'session')::timestamp at time zone 'UTC' as session, u.payload
        from unnest(p_asset_ids, p_payloads) as u (asset_id, payload)
        join headgate.v_assets as d using (asset_id)
        order by d.attributes ->> 'session', d.asset_id
    loop
        v_held := equities._held_histories(equities._read_listings(v_day.asset_id, v_day.session));
        v_results := equities._reread_bars(p_context, v_day.asset_id, v_day.session, v_day.payload);
        perform equities._reload_restated(v_results, v_held, v_now);
        v_corrected := array(select r.asset_id from unnest(v_results) as r where r.records > 0 order by r.asset_id);
        if v_corrected <> '{}' then
            perform headgate.ask_again(
                'indicators_calculation', v_corrected, array_fill(v_now, array[cardinality(v_corrected)])
            );
        end if;
        return next row(
            v_day.asset_id, 'success', cardinality(v_corrected), v_day.session,
            case when cardinality(v_results) = 0 then 'the answer has none of our listings' end
        )::headgate.ingest_result;
    end loop;
end;
$func$;

comment on function equities.ingest_corrections(jsonb, bigint[], text[]) is
    'Ingest function of corrections_bulk: stores how a session''s bars have changed since they were read.';

create or replace function equities._reread_bars(
    p_context jsonb,
    p_day_id bigint,
    p_session timestamptz,
    p_payload text
)
returns headgate.ingest_result[]
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_asset_ids bigint[];
    v_payloads text[];
begin
    select array_agg(b.asset_id order by b.asset_id), array_agg(b.payload order by b.asset_id)
    into v_asset_ids, v_payloads
    from equities._bulk_bars(equities._read_listings(p_day_id, p_session), p_payload) as b;
    if v_asset_ids is null then
        return '{}';
    end if;
    return array(select m from equities._take_bars(p_context, v_asset_ids, v_payloads, false) as m);
end;
$func$;

comment on function equities._reread_bars(jsonb, bigint, timestamptz, text) is
    'Store an exchange''s repeated answer for a session, for the listings that have been read so far.';

-- Listings of the session's exchange that have been loaded up to it.
create or replace function equities._read_listings(
    p_day_id bigint,
    p_session timestamptz
)
returns bigint[]
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select array(
        select s.asset_id
        from headgate.v_assets as d
        join headgate.v_assets as l on l.universe = 'equities' and l.group_key = d.group_key
        join headgate.v_asset_states as s on s.asset_id = l.asset_id
        where d.asset_id = p_day_id
            and s.operation = 'prices_incremental'
            and s.watermark >= p_session
    );
$func$;

comment on function equities._read_listings(bigint, timestamptz) is
    'Listings of a session''s exchange that have been read so far.';

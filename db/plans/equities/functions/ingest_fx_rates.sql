-- Reads EODHD's /eod answers for currency pairs, e.g. EURUSD.FOREX: arrays of {date, close, ...}. Days without a price
-- are left out.

create or replace function equities.ingest_fx_rates(
    p_context jsonb,
    p_asset_ids bigint[],
    p_payloads text[]
)
returns setof headgate.ingest_result
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set datestyle = 'ISO, YMD'
as $func$
begin
    return query
    with rates as materialized (
        select a.asset_id, v.attributes ->> 'currency' as currency, r.date, max(r.close) as usd
        from unnest(p_asset_ids, p_payloads) as a (asset_id, payload)
        join headgate.v_assets as v using (asset_id)
        cross join lateral json_to_recordset(a.payload::json) as r (date date, close double precision)
        where r.close > 0
            and r.close < 'infinity'
            and r.date is not null
        group by a.asset_id, v.attributes, r.date
    ),
    written as (
        insert into equities.fx_rates as f (currency, date, usd)
        select r.currency, r.date, r.usd
        from rates as r
        left join equities.fx_rates as k using (currency, date)
        where k.usd is distinct from r.usd
        order by r.currency, r.date
        on conflict (currency, date) do update set usd = excluded.usd
        returning f.currency
    )
    select
        a.asset_id,
        'success',
        (select count(*) from written as w where w.currency = v.attributes ->> 'currency')::integer,
        (select max(r.date) from rates as r where r.asset_id = a.asset_id)::timestamp at time zone 'UTC',
        case
            when not exists (select from rates as r where r.asset_id = a.asset_id) then 'the provider has no rates'
        end
    from unnest(p_asset_ids) as a (asset_id)
    join headgate.v_assets as v using (asset_id);
end;
$func$;

comment on function equities.ingest_fx_rates(jsonb, bigint[], text[]) is
    'Ingest function of fx_rates: what one unit of each currency was worth in US dollars, day by day.';

-- Listings: the large ones are worth most where the budget is short. One that an operator has put aside stays aside. Of
-- a code that has been renamed, delisted or reused since, the lists know more than the file.
select u.inserted, u.updated, u.unchanged
from headgate.upsert_assets(
    p_universe => 'equities',
    p_assets => (
        select coalesce(jsonb_agg(jsonb_build_object(
            'code', l.code,
            'group_key', l.group_key,
            'calendar', l.calendar,
            'weight', case l.market_cap_bucket
                when 'Mega Cap' then 10000
                when 'Large Cap' then 1000
                when 'Mid Cap' then 100
                when 'Small Cap' then 10
                when 'Micro Cap' then 5
                when 'Nano Cap' then 2
                else 1
            end,
            'attributes', jsonb_strip_nulls(jsonb_build_object(
                'exchange', l.exchange,
                'symbol', l.symbol,
                'name', l.name,
                'type', l.type,
                'currency', l.currency,
                'country', l.country,
                'sector', l.sector,
                'isin', l.isin
            ))
        )), '[]')
        from equities.shipped_listings as l
        where not exists (
            select from equities.listings as v where v.code = l.code and v.valid <> daterange(null, null)
        )
    )
) as u;

-- Each new listing holds its code since before we know; one whose code another has had is left to
-- equities.note_listings.
insert into equities.listings (asset_id, valid, code, group_key, name, isin)
select a.asset_id, daterange(null, null), a.code, a.group_key, a.attributes ->> 'name', a.attributes ->> 'isin'
from headgate.v_assets as a
where a.universe = 'equities'
    and not exists (select from equities.listings as l where l.asset_id = a.asset_id)
    and not exists (select from equities.listings as l where l.code = a.code)
order by a.asset_id;

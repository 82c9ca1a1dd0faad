create or replace function equities.listings_as_of(p_date date)
returns table (asset_id bigint, ticker text, group_key text, name text, isin text, valid daterange)
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $func$
    select l.asset_id, l.code, l.group_key, l.name, l.isin, l.valid
    from equities._listings() as l
    where l.valid @> p_date;
$func$;

comment on function equities.listings_as_of(date) is
    'The listings of a day under the codes they had then, including those delisted since.';

-- Data of a chart: the last bars of a listing, adjusted, the oldest first.

create or replace function equities.chart_bars(
    p_ticker text,
    p_bars integer default 450
)
returns table (
    ticker text,
    name text,
    currency text,
    date date,
    open double precision,
    high double precision,
    low double precision,
    close double precision,
    volume bigint
)
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $func$
    select
        a.code,
        a.attributes ->> 'name',
        a.attributes ->> 'currency',
        b.date,
        b.open * b.factor,
        b.high * b.factor,
        b.low * b.factor,
        b.adjusted_close,
        b.volume
    from (select headgate.find_asset('equities', p_ticker) as asset_id offset 0) as f
    join headgate.v_assets as a using (asset_id)
    cross join lateral (
        select p.*, p.adjusted_close / p.close as factor
        from equities.prices as p
        where p.asset_id = f.asset_id
        order by p.date desc
        limit p_bars
    ) as b
    order by b.date;
$func$;

comment on function equities.chart_bars(text, integer) is
    'The last bars of a listing, prices adjusted for splits and dividends, the oldest first.';

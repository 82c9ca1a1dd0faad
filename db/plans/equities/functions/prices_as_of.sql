-- Prices as they were known at the end of a day (UTC): no later bar, later corrections undone, no adjustment for later
-- splits and dividends. The adjustment of a bar to the day's last one follows from the two factors of today's history,
-- so it is also right for days before the history was loaded; only corrections from before that load are unknown.

create or replace function equities.prices_as_of(p_date date)
returns table (
    asset_id bigint, date date, open double precision, high double precision, low double precision,
    close double precision, adjusted_close double precision, volume bigint
)
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $func$
    with moment as (
        select (p_date + 1)::timestamp at time zone 'UTC' as at
    ),
    known as (
        select t.asset_id, t.date, t.open, t.high, t.low, t.close, t.adjusted_close / t.close as factor, t.volume
        from equities.prices as t
        cross join moment as m
        where t.date <= p_date
            and (t.known_from is null or t.known_from < m.at)
        union all
        select
            r.asset_id, r.date, r.open, r.high, r.low, r.close,
            coalesce(t.adjusted_close / t.close, r.adjusted_close / r.close), r.volume
        from equities.bar_revisions as r
        cross join moment as m
        left join equities.prices as t on t.asset_id = r.asset_id and t.date = r.date
        where r.date <= p_date
            and r.known_to >= m.at
            and (r.known_from is null or r.known_from < m.at)
    )
    select
        k.asset_id, k.date, k.open, k.high, k.low, k.close,
        k.close * k.factor / last_value(k.factor) over (
            partition by k.asset_id order by k.date rows between unbounded preceding and unbounded following
        ),
        k.volume
    from known as k;
$func$;

comment on function equities.prices_as_of(date) is
    'Prices as they were known at the end of a day: no later bar, no later correction, no later split or dividend.';

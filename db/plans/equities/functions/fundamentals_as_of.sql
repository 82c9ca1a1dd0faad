create or replace function equities.fundamentals_as_of(p_date date)
returns table (asset_id bigint, ticker text, known_from timestamptz, known_to timestamptz, payload jsonb)
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $func$
    select a.asset_id, a.code, f.fetched_at, n.fetched_at, f.payload
    from headgate.v_assets as a
    cross join lateral (
        select f.fetched_at, f.payload
        from equities.fundamentals as f
        where f.asset_id = a.asset_id
            and f.fetched_at < (p_date + 1)::timestamp at time zone 'UTC'
        order by f.fetched_at desc
        limit 1
    ) as f
    left join lateral (
        select min(n.fetched_at) as fetched_at
        from equities.fundamentals as n
        where n.asset_id = a.asset_id
            and n.fetched_at > f.fetched_at
    ) as n on true
    where a.universe = 'equities';
$func$;

comment on function equities.fundamentals_as_of(date) is
    'Fundamentals as they were known at the end of a day; known_to is when other figures replaced them, null while '
    'they hold.';

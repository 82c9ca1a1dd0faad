create or replace function equities.session_bars(
    p_group_key text,
    p_session date
)
returns table (
    asset_id bigint, close double precision, previous_close double precision, is_quarantined boolean
)
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $func$
    with previous as (
        select max(t.session) as session
        from headgate.v_trading_sessions as t
        where t.session < p_session
            and t.calendar = (
                select a.calendar
                from headgate.v_assets as a
                where a.universe = 'equities' and a.group_key = p_group_key
                limit 1
            )
    )
    select a.asset_id, t.close, b.close, q.asset_id is not null
    from headgate.v_assets as a
    cross join previous as p
    left join equities.prices as t on t.asset_id = a.asset_id and t.date = p_session
    left join equities.prices as b on b.asset_id = a.asset_id and b.date = p.session
    left join equities.prices_quarantine as q on q.asset_id = a.asset_id and q.date = p_session
    where a.universe = 'equities'
        and a.group_key = p_group_key
        and a.is_active
        and (t.asset_id is not null or b.asset_id is not null or q.asset_id is not null);
$func$;

comment on function equities.session_bars(text, date) is
    'Listings of an exchange with a bar in a session or in the one before: both closes, for checks.';

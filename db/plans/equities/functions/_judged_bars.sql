-- Reads EODHD's /eod answers, arrays of {date, open, high, low, close, adjusted_close, volume}, and judges each bar.
-- Raises if an answer is not such an array or a cell is not a number. Meant to inline (hence no pinned path): a chunk
-- may hold hundreds of thousands of bars.

create or replace function equities._judged_bars(
    p_asset_ids bigint[],
    p_payloads text[],
    p_today date
)
returns table (
    asset_id bigint, date date, open double precision, high double precision, low double precision,
    close double precision, adjusted_close double precision, volume double precision, warning text, fault text
)
language sql
stable
as $func$
    with answers as materialized (
        select a.asset_id, a.nth, l.calendar
        from unnest(p_asset_ids) with ordinality as a (asset_id, nth)
        left join headgate.v_assets as l using (asset_id)
        order by a.asset_id  -- rows are written, and so locked, in key order
    ),
    sessions as materialized (
        select c.calendar, t.session
        from (select distinct a.calendar from answers as a) as c
        cross join lateral (
            select t.session from headgate.v_trading_sessions as t where t.calendar = c.calendar offset 0
        ) as t
    ),
    calendars as materialized (
        select s.calendar, min(s.session) as first_session, max(s.session) as last_session
        from sessions as s
        group by s.calendar
    )
    select
        a.asset_id, r.date, r.open, r.high, r.low, r.close, r.adjusted_close, r.volume, r.warning,
        case
            when equities._is_sound_bar(r.open, r.high, r.low, r.close, r.adjusted_close, r.volume)
                and r._is_twice is not true and r.date <= p_today and not o.is_no_session
                then null
            else equities._bar_fault(
                r.open, r.high, r.low, r.close, r.adjusted_close, r.volume,
                r.date > p_today, o.is_no_session, r._is_twice
            )
        end as fault
    from answers as a
    cross join lateral json_to_recordset(p_payloads[a.nth]::json) as r (
        date date, open double precision, high double precision, low double precision, close double precision,
        adjusted_close double precision, volume double precision, warning text, _is_twice boolean
    )
    left join sessions as s on s.calendar = a.calendar and s.session = r.date
    cross join lateral (
        select s.session is null and exists (
            select from calendars as c
            where c.calendar = a.calendar and r.date between c.first_session and c.last_session
        ) as is_no_session
    ) as o;
$func$;

comment on function equities._judged_bars(bigint[], text[], date) is
    'The bars of many answers, each with its faults; null: none.';

-- Compares the latest weeks of the listings just loaded with their calendar.
--
-- A session between two bars that has no bar itself is a hole. The whole history (one unit) is requested again after
-- one day, then two, four and so on, minus two hours, because daily runs are not punctual. After some tries the hole
-- becomes a known gap and costs nothing any more. A quarantined date is not a hole: the provider has it, but its bar is
-- faulty. Sessions after the last bar are handled separately: the listing did not trade, or its bar is late. It is not
-- requested again before the next session is published, and the longer it has been silent, the more sessions later. A
-- history that is being loaded is not requested a second time.

create or replace function equities._note_holes(
    p_asset_ids bigint[],
    p_now timestamptz,
    p_is_history boolean
)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_since constant date := (p_now - make_interval(days => equities._setting('hole_days')::integer))::date;
    v_tries constant integer := equities._setting('hole_tries');
begin
    with missing as materialized (
        select m.asset_id, m.session from equities._missing_sessions(p_asset_ids, v_since, p_now) as m
    ),
    filled as (
        delete from equities.holes as h
        where h.asset_id = any (p_asset_ids)
            and exists (
                select from equities.prices as t where t.asset_id = h.asset_id and t.date = h.session
                union all
                select from equities.prices_quarantine as q where q.asset_id = h.asset_id and q.date = h.session
            )
    ),
    forgotten as (
        delete from equities.known_gaps as k
        where k.asset_id = any (p_asset_ids)
            and exists (select from equities.prices as t where t.asset_id = k.asset_id and t.date = k.session)
    ),
    given_up as (
        insert into equities.known_gaps (asset_id, session, tries, given_up_at)
        select h.asset_id, h.session, h.tries + 1, p_now
        from equities.holes as h
        where p_is_history
            and h.asset_id = any (p_asset_ids)
            and h.next_try_at <= p_now
            and h.tries + 1 >= v_tries
            and not exists (select from equities.prices as t where t.asset_id = h.asset_id and t.date = h.session)
        on conflict do nothing
        returning asset_id, session
    )
    insert into equities.holes as h (asset_id, session, found_at, tries, next_try_at)
    select m.asset_id, m.session, p_now, 1, p_now + interval '22 hours'
    from missing as m
    order by m.asset_id, m.session
    on conflict (asset_id, session) do nothing;

    delete from equities.holes as h
    using equities.known_gaps as k
    where h.asset_id = any (p_asset_ids)
        and k.asset_id = h.asset_id
        and k.session = h.session;
    if p_is_history then
        update equities.holes as h
        set tries = h.tries + 1, next_try_at = p_now + interval '1 day' * power(2, h.tries) - interval '2 hours'
        where h.asset_id = any (p_asset_ids)
            and h.next_try_at <= p_now;
    end if;

    perform headgate.ask_again('prices_historical', array_agg(n.asset_id), array_agg(n.next_try_at))
    from (
        select h.asset_id, min(h.next_try_at) as next_try_at
        from equities.holes as h
        where h.asset_id = any (p_asset_ids)
            and (
                p_is_history
                or h.next_try_at > p_now
                or not exists (
                    select
                    from headgate.v_asset_states as s
                    where s.asset_id = h.asset_id
                        and s.operation = 'prices_historical'
                        and s.is_held
                )
            )
        group by h.asset_id
        order by h.asset_id
    ) as n
    having count(*) > 0;
end;
$func$;

comment on function equities._note_holes(bigint[], timestamptz, boolean) is
    'Update holes and known gaps of listings, and request what is missing once its time has come.';

-- Sessions since a date, between two bars of a listing, without a bar, a quarantined bar or a known gap.
create or replace function equities._missing_sessions(
    p_asset_ids bigint[],
    p_since date,
    p_now timestamptz
)
returns table (asset_id bigint, session date)
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    with spans as materialized (
        select a.asset_id, a.calendar, b.first_date, b.last_date, b.bars
        from headgate.v_assets as a
        cross join lateral (
            select min(t.date) as first_date, max(t.date) as last_date, count(*) as bars
            from equities.prices as t
            where t.asset_id = a.asset_id
                and t.date >= p_since
        ) as b
        where a.asset_id = any (p_asset_ids)
    ),
    sessions as materialized (
        select t.calendar, t.session
        from headgate.v_trading_sessions as t
        where t.calendar = any (array(select distinct p.calendar from spans as p))
            and t.session between p_since and (p_now at time zone 'UTC')::date
    )
    select p.asset_id, s.session
    from spans as p
    join sessions as s
        on s.calendar = p.calendar
        and s.session > p.first_date
        and s.session < p.last_date
    where p.bars < (
            select count(*)
            from sessions as n
            where n.calendar = p.calendar and n.session between p.first_date and p.last_date
        )
        and not exists (select from equities.prices as t where t.asset_id = p.asset_id and t.date = s.session)
        and not exists (
            select from equities.prices_quarantine as q where q.asset_id = p.asset_id and q.date = s.session
        )
        and not exists (select from equities.known_gaps as k where k.asset_id = p.asset_id and k.session = s.session);
$func$;

comment on function equities._missing_sessions(bigint[], date, timestamptz) is
    'Sessions between a listing''s bars that have no bar, quarantined bar or known gap.';

-- Listings that were loaded and have no bar for the last published session. The time of their next request is computed
-- once for all listings of a calendar that fell silent on the same day.
create or replace function equities._note_silence(
    p_asset_ids bigint[],
    p_now timestamptz
)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_since constant date := (p_now - interval '60 days')::date;
    v_most constant integer := equities._setting('most_silent_sessions')::integer;
begin
    perform headgate.ask_again('prices_incremental', array_agg(n.asset_id), array_agg(n.published_at))
    from (
        with last_bar as materialized (
            select a.asset_id, a.calendar, b.date
            from headgate.v_assets as a
            cross join lateral (
                select max(t.date) as date from equities.prices as t where t.asset_id = a.asset_id and t.date > v_since
            ) as b
            where a.asset_id = any (p_asset_ids)
                and a.calendar is not null
        ),
        sessions as materialized (
            select c.calendar, t.session, headgate.published_at('eodhd', c.calendar, t.session) as published_at
            from (select distinct l.calendar from last_bar as l) as c
            join headgate.v_trading_sessions as t
                on t.calendar = c.calendar and t.session between v_since and (p_now + interval '30 days')::date
        ),
        silent as materialized (
            select l.calendar, l.date, count(*) as sessions
            from (select distinct k.calendar, k.date from last_bar as k) as l
            join sessions as s
                on s.calendar = l.calendar and s.published_at <= p_now and s.session > coalesce(l.date, '-infinity')
            group by l.calendar, l.date
        )
        select l.asset_id, again.published_at
        from silent as s
        cross join lateral (
            select t.published_at
            from sessions as t
            where t.calendar = s.calendar and t.published_at > p_now
            order by t.published_at
            offset least(s.sessions, v_most) - 1
            limit 1
        ) as again
        join last_bar as l on l.calendar = s.calendar and l.date is not distinct from s.date
        order by l.asset_id
    ) as n
    having count(*) > 0;
end;
$func$;

comment on function equities._note_silence(bigint[], timestamptz) is
    'Request listings without a bar for the last session again after later sessions; the longer they are silent, the '
    'later.';

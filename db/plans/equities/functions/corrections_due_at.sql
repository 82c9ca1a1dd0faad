-- The due rule of corrections_bulk. Its asset is one session of one exchange. It opens once the session's splits have
-- been loaded, on the evening on which the session's bars are read, and is due when corrections_first and when
-- corrections_last later sessions are published: once for each, and not for those already published when it opens. So
-- after missed evenings nothing is read twice on one evening.
--
-- Where listings are requested one by one, each call already covers the last sessions again. Only exchanges with so
-- many listings that a bulk call pays are read again as a whole.

create or replace function equities.corrections_due_at(
    p_asset_id bigint,
    p_watermark timestamptz,
    p_now timestamptz
)
returns timestamptz
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $func$
    select min(o.published_at)
    from headgate.v_assets as d
    cross join lateral (
        select
            headgate.published_at('eodhd', t.calendar, t.session) as published_at,
            row_number() over (order by t.session) as nth
        from headgate.v_trading_sessions as t
        where t.calendar = d.calendar
            and t.session > (d.attributes ->> 'session')::date
        order by t.session
        limit greatest(equities._setting('corrections_first'), equities._setting('corrections_last'))::integer
    ) as o
    where d.asset_id = p_asset_id
        and o.nth in (equities._setting('corrections_first'), equities._setting('corrections_last'))
        and o.published_at > p_now
        and exists (
            select
            from headgate.v_asset_states as s
            join headgate.v_assets as l using (asset_id)
            where s.operation = 'prices_historical'
                and s.succeeded_at is not null
                and l.universe = 'equities'
                and l.group_key = d.group_key
                and l.is_active
            offset equities._setting('corrections_from')::integer
        );
$func$;

comment on function equities.corrections_due_at(bigint, timestamptz, timestamptz) is
    'When an exchange''s session is read again: once so many later sessions are published; null: never again.';

-- Covers sessions whose splits are never requested, because they were published before the exchange's first history was
-- loaded.
create or replace function equities._ask_first_corrections(p_now timestamptz)
returns void
language sql
volatile
set search_path = pg_catalog, pg_temp
as $func$
    select headgate.ask_again('corrections_bulk', array_agg(n.asset_id), array_agg(n.due_at))
    from (
        select c.asset_id, equities.corrections_due_at(c.asset_id, null, p_now) as due_at
        from headgate.v_asset_states as c
        join headgate.v_asset_states as s using (asset_id)
        join headgate.v_assets as d using (asset_id)
        where c.operation = 'corrections_bulk'
            and c.next_due_at is null
            and c.succeeded_at is null
            and s.operation = 'splits_bulk'
            and s.next_due_at is null
            and s.succeeded_at is null
            and (d.attributes ->> 'session')::date > (p_now - interval '60 days')::date
        order by c.asset_id
    ) as n
    where n.due_at is not null
    having count(*) > 0;
$func$;

comment on function equities._ask_first_corrections(timestamptz) is
    'Read again the last sessions that came with an exchange''s first histories.';

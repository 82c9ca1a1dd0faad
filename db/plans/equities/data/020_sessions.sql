-- Sessions: the file is authoritative for the time it covers, so that a holiday that was announced late disappears.
delete from headgate.trading_sessions as t
using (
    select s.calendar, min(s.session) as first_session, max(s.session) as last_session
    from equities.shipped_sessions as s
    group by s.calendar
) as c
where t.calendar = c.calendar
    and t.session between c.first_session and c.last_session
    and not exists (
        select
        from equities.shipped_sessions as s
        where s.calendar = t.calendar
            and s.session = t.session
    );

insert into headgate.trading_sessions as t (calendar, session, opens_at, closes_at, is_early_close)
select s.calendar, s.session, s.opens_at, s.closes_at, s.is_early_close
from equities.shipped_sessions as s
left join headgate.trading_sessions as t using (calendar, session)
where (t.opens_at, t.closes_at, t.is_early_close) is distinct from (s.opens_at, s.closes_at, s.is_early_close)
on conflict (calendar, session) do update
set opens_at = excluded.opens_at,
    closes_at = excluded.closes_at,
    is_early_close = excluded.is_early_close;

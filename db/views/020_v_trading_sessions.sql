-- Trading sessions, for plans and people.

drop view if exists headgate.v_trading_sessions cascade;

create view headgate.v_trading_sessions as
select
    t.calendar,
    t.session,
    t.opens_at,
    t.closes_at,
    t.is_early_close
from headgate.trading_sessions as t;

comment on view headgate.v_trading_sessions is 'Trading sessions, by calendar.';
comment on column headgate.v_trading_sessions.calendar is 'The calendar, e.g. XNYS.';
comment on column headgate.v_trading_sessions.session is 'The session''s date.';
comment on column headgate.v_trading_sessions.opens_at is 'When it opens.';
comment on column headgate.v_trading_sessions.closes_at is 'When it closes.';
comment on column headgate.v_trading_sessions.is_early_close is 'True: a half day.';

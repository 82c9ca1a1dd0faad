"""An exchange of thousands of listings that falls silent."""

from __future__ import annotations

from tests.plan import Plan

LAST_BARS = """
insert into equities.prices (asset_id, date, open, high, low, close, adjusted_close, volume, known_from)
select a.asset_id, s.session, 1, 1, 1, 1, 1, 1, now()
from headgate.assets as a
join headgate.trading_sessions as s on s.calendar = a.calendar
where a.universe = 'equities'
    and a.group_key = 'US'
    and s.session between '2026-05-18' and date '2026-06-10' + (a.asset_id % 5)::integer
"""
SILENT = """
select (next_due_at at time zone 'UTC')::date::text as day, count(*)
from headgate.v_asset_states
where operation = 'prices_incremental' and next_due_at is not null
group by 1
order by 1
"""


def test_a_whole_exchange_that_falls_silent_is_asked_again_in_one_statement(db: Plan):
    now = "2026-06-17 21:30:00+00"
    db.freeze_clock(now)
    db.sql(LAST_BARS)
    db.sql("analyze equities.prices")  # whatever autovacuum found there before
    listed = db.scalar(
        "select array_agg(asset_id) from headgate.assets "
        "where universe = 'equities' and group_key = 'US'"
    )
    db.sql("select equities._note_silence(%(ids)s, %(now)s)", ids=listed, now=now)

    many = {x["day"]: x["count"] for x in db.sql(SILENT)}
    assert sum(many.values()) == len(listed) > 7_000
    assert list(many) == ["2026-06-23", "2026-06-24", "2026-06-25"], "silent for 3, 4, 5 sessions"

"""equities.ingest_history: a restated history replaces the stored one as a whole, or not at all."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from headgate.database import connect
from headgate.settings import Settings
from tests.db.plans.equities.feed import bar, ingest, ingest_prices, prices
from tests.limits import PATIENCE, wait_until
from tests.plan import Plan, Row

DAYS = [f"2026-06-{x:02}" for x in (1, 2, 3, 4, 5, 8, 9, 10, 11, 12)]
LATER = "2026-06-18 21:30:00+00"
STATE = """
select s.next_due_at is not null as is_due
from headgate.v_asset_states as s
where s.asset = 'AAPL.US' and s.operation = 'prices_historical'
"""


def history(factor: float = 1.0, days: list[str] = DAYS, **changes: Any) -> list[Row]:
    """Return bars with past prices adjusted by a factor."""
    return [bar(x, adjusted_close=10.8 * factor, **changes) for x in days]


def take(plan: Plan, answer: Any, now: str = LATER) -> Row:
    return ingest(plan, "ingest_history", {"AAPL.US": answer}, now)["AAPL.US"]


def loaded(plan: Plan) -> None:
    """Load a history, so that nothing is due."""
    take(plan, history())
    plan.sql("update headgate.asset_processing_state set next_due_at = null")


def adjusted(plan: Plan) -> set[float]:
    return {round(x[4], 4) for x in prices(plan).values()}


def test_a_restated_history_takes_the_place_of_the_stored_one(db: Plan):
    loaded(db)
    result = take(db, history(0.5))

    assert (result["status"], result["records"]) == ("success", len(DAYS))
    assert adjusted(db) == {5.4}
    (reload,) = db.sql("select bars_changed, bars_lost from equities.history_reloads")
    assert reload == {"bars_changed": len(DAYS), "bars_lost": 0}
    assert db.sql("select * from equities.bar_revisions") == [], "no bar traded otherwise"


def test_an_overlap_that_shows_another_past_changes_nothing_and_asks_for_all(db: Plan):
    loaded(db)
    answer = [*history(0.5, DAYS[-3:]), bar("2026-06-15", adjusted_close=11)]
    result = ingest_prices(db, {"AAPL.US": answer}, LATER)["AAPL.US"]

    assert (result["status"], result["records"], result["watermark"]) == ("skipped", 0, None)
    assert "it is loaded again in full" in result["reason"]
    assert (sorted(prices(db)), adjusted(db)) == (DAYS, {10.8})
    assert db.scalar(STATE)


def test_a_history_that_ends_while_an_overlap_is_compared_is_not_requested_again(
    database: Settings,
):
    overlap = {"AAPL.US": history(0.5, DAYS[-3:]), "MSFT.US": [bar(DAYS[-1], volume=0)]}
    blocked = "select count(*) from pg_stat_activity where wait_event_type = 'Lock'"
    held = "update headgate.asset_processing_state set chunk_id = {}, next_due_at = null"
    with (
        connect(database, "one", autocommit=False) as one,
        connect(database, "other") as other,
        connect(database, "watch") as watch,
        ThreadPoolExecutor(1) as pool,
    ):
        first, second = Plan(one), Plan(other)
        take(second, history())
        ingest_prices(second, {"MSFT.US": [bar(DAYS[-1], volume=0)]}, LATER)
        second.sql(held.format("1"))

        take(first, history(0.5))
        first.sql(held.format("null"))
        first.sql("select from equities.prices_quarantine for update")  # blocks the other session
        late = pool.submit(ingest_prices, second, overlap, LATER)
        wait_until(lambda: late.done() or Plan(watch).scalar(blocked), "an answer or a lock")
        one.commit()

        assert late.result(timeout=PATIENCE)["AAPL.US"]["status"] == "skipped"
        assert adjusted(second) == {5.4}
        assert not second.scalar(STATE)


def test_a_bar_that_a_restated_history_lacks_does_not_stay_behind(db: Plan):
    days = [f"2026-{m:02}-{d:02}" for m in (1, 2, 3, 4) for d in range(1, 29)]
    days = [x["day"] for x in db.sql(SESSIONS, days=days)]
    take(db, history(days=days))
    result = take(db, history(0.5, days[1:]))

    assert result["status"] == "success"
    assert sorted(prices(db)) == days[1:]
    assert db.scalar("select min(date)::text from equities.bar_revisions") == days[0]


SESSIONS = """
select t.session::text as day from headgate.trading_sessions as t
where t.calendar = 'XNYS' and t.session::text = any (%(days)s) order by 1
"""


def test_a_restated_history_that_has_been_cut_is_refused(db: Plan):
    loaded(db)
    result = take(db, history(0.5, DAYS[5:]))

    assert result["status"] == "failed"
    assert result["reason"] == "the history would lose 5 of its 10 bars"
    assert (sorted(prices(db)), adjusted(db)) == (DAYS, {10.8})


def test_a_history_that_is_not_restated_loses_nothing(db: Plan):
    loaded(db)
    answer = [*history(days=DAYS[3:-1]), bar(DAYS[-1], volume=0)]

    assert take(db, answer)["records"] == 0
    assert sorted(prices(db)) == DAYS


def test_rounding_is_not_a_restatement(db: Plan):
    cheap = {"open": 0.05, "high": 0.06, "low": 0.04, "close": 0.05}
    take(db, [bar(x, **cheap, adjusted_close=0.0487) for x in DAYS])
    answer = [bar(x, **cheap, adjusted_close=0.0488) for x in DAYS[-2:]]

    assert ingest_prices(db, {"AAPL.US": answer})["AAPL.US"]["status"] == "success"


def test_a_corrected_close_is_not_a_restatement(db: Plan):
    loaded(db)
    answer = [bar(DAYS[-1], close=11.11, adjusted_close=10.908)]
    result = ingest_prices(db, {"AAPL.US": answer}, LATER)["AAPL.US"]

    assert (result["status"], result["records"]) == ("success", 1)
    (old,) = db.sql("select close, known_from, known_to::text from equities.bar_revisions")
    assert (old["close"], old["known_from"]) == (11.0, None)
    assert old["known_to"].startswith("2026-06-18 21:30")
    known = "select known_from::text from equities.prices where close = 11.11"
    assert db.scalar(known) == old["known_to"]

"""Sessions computed by a handler are stored in the trading calendar."""

from __future__ import annotations

from tests.db.toy import Toy
from tests.plan import Row

FOUND = "select session::text, is_early_close from headgate.trading_sessions where calendar = 'XTOY' order by 1"


def ingest(toy: Toy, *days: str, is_early: bool = False) -> list[Row]:
    """Ingest these sessions of calendar XTOY."""
    rows = ", ".join(
        f"(7, 'XTOY', '{x}', '{x} 09:00+00', '{x} 17:00+00', {is_early})::headgate.calendar_session"
        for x in days
    )
    return toy.sql(
        "select asset_id, status, records, watermark::date::text from headgate.ingest_sessions("
        f"'{{\"now\": \"2026-03-03T12:00:00+00:00\"}}', '{{7}}', array[{rows}])"
    )


def test_new_sessions_are_kept_and_the_last_one_is_the_watermark(toy: Toy):
    done = {"asset_id": 7, "status": "success", "records": 2, "watermark": "2026-03-05"}
    assert ingest(toy, "2026-03-04", "2026-03-05") == [done]
    assert ingest(toy, "2026-03-04", "2026-03-05") == [{**done, "records": 0}]
    assert ingest(toy, "2026-03-05", is_early=True) == [{**done, "records": 1}]
    assert toy.sql(FOUND)[1] == {"session": "2026-03-05", "is_early_close": True}


def test_a_holiday_that_was_announced_late_disappears_and_the_past_stays(toy: Toy):
    ingest(toy, "2026-03-02", "2026-03-03", "2026-03-04", "2026-03-05")

    assert ingest(toy, "2026-03-02", "2026-03-05")[0]["records"] == 1
    assert [x["session"] for x in toy.sql(FOUND)] == ["2026-03-02", "2026-03-03", "2026-03-05"]

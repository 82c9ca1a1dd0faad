"""equities.reset_ticker_for_reprocessing: a listing is loaded again."""

from __future__ import annotations

import psycopg
import pytest

from tests.db.plans.equities.feed import asset_id
from tests.plan import Plan

DUE = """
    select array_agg(operation order by operation) from equities.v_assets_needing_processing
    where ticker = 'AAPL.US'
"""


@pytest.mark.parametrize(
    ("scope", "operations"),
    [
        ("fundamentals", ["fundamentals_bulk"]),
        ("prices", ["prices_historical", "prices_incremental"]),
        ("indicators", ["indicators_calculation"]),
        (
            "all",
            [
                "fundamentals_bulk",
                "indicators_calculation",
                "prices_historical",
                "prices_incremental",
            ],
        ),
    ],
)
def test_a_reset_makes_due_what_its_scope_names(db: Plan, scope: str, operations: list[str]):
    db.sql(
        "update headgate.asset_processing_state set next_due_at = null, succeeded_at = now() "
        "where asset_id = %(asset)s",
        asset=asset_id(db, "AAPL.US"),
    )
    row = db.row("equities.reset_ticker_for_reprocessing", p_ticker="AAPL", p_scope=scope)

    assert row == {"ticker": "AAPL.US", "reset": len(operations)}
    assert db.scalar(DUE) == operations


def test_a_pair_that_failed_too_often_gets_another_chance(db: Plan):
    db.sql(
        "update headgate.asset_processing_state set consecutive_failures = 5, next_due_at = null "
        "where asset_id = %(asset)s",
        asset=asset_id(db, "AAPL.US"),
    )
    db.call("equities.reset_ticker_for_reprocessing", p_ticker="AAPL.US", p_scope="prices")
    left = "select count(*) from equities.v_failed_assets where ticker = 'AAPL.US'"

    assert db.scalar(left) == 2


@pytest.mark.parametrize(
    ("ticker", "scope", "code", "said"),
    [
        ("SAN", "all", "HG010", "SAN.MC, SAN.PA, SAN.US"),
        ("NOPE", "all", "HG009", "v_assets"),
        ("AAPL.US", "everything", "HG008", "all, fundamentals, prices, indicators"),
        ("AAPL.US", None, "HG008", "all, fundamentals, prices, indicators"),
        (None, "all", "HG009", "v_assets"),
    ],
)
def test_a_wrong_request_says_what_to_do(
    db: Plan, ticker: str | None, scope: str | None, code: str, said: str
):
    with pytest.raises(psycopg.Error) as caught:
        db.call("equities.reset_ticker_for_reprocessing", p_ticker=ticker, p_scope=scope)

    assert caught.value.sqlstate == code
    assert said in (caught.value.diag.message_hint or "")

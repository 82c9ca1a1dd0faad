"""equities.publish_screener: the screener's rows are published all at once if they look right."""

from __future__ import annotations

import pytest

from tests.db.plans.equities.feed import ingest
from tests.db.plans.equities.figures import ingest_indicators
from tests.plan import Plan, Row

FIGURE = {"close": 100.0, "turnover_20": 5000.0, "rsi_14": 55.0}


def publish(db: Plan) -> Row:
    return db.row("equities.publish_screener", p_pipeline="calculate_indicators", p_run_id="r")


def shown(db: Plan) -> dict[str, Row]:
    return {x["ticker"]: x for x in db.sql("select * from equities.v_screener")}


def quote(db: Plan, code: str, currency: str) -> None:
    """Let a listing be quoted in a currency."""
    db.sql(
        "update headgate.assets set attributes = attributes || jsonb_build_object("
        "'currency', %(currency)s::text) where code = %(code)s",
        code=code,
        currency=currency,
    )


def test_the_screener_shows_indicators_fundamentals_listing_and_freshness(db: Plan):
    ingest_indicators(db, {"AAPL.US": FIGURE})
    facts = {"Highlights": {"MarketCapitalization": 3e12, "PERatio": "31.5", "EarningsShare": "NA"}}
    ingest(db, "ingest_fundamentals", {"AAPL.US": {"General": {}, **facts}})

    assert publish(db) == {"is_published": True, "listings": 1, "reason": None}
    row = shown(db)["AAPL.US"]
    assert (row["exchange"], row["currency"], row["rsi_14"]) == ("NASDAQ", "USD", 55)
    assert (row["market_cap_usd"], row["pe_ratio"], row["earnings_per_share"]) == (3e12, 31.5, None)
    assert (row["price_usd"], row["is_fresh"]) == (100, True)


def test_prices_are_in_dollars_and_pence_are_hundredths(db: Plan):
    codes = {"AAPL.US": "USD", "MC.PA": "EUR", "VOD.LSE": "GBX", "NESN.SW": "CHF"}
    for code, currency in codes.items():
        quote(db, code, currency)
    db.sql(
        "insert into equities.fx_rates values ('EUR', '2026-06-15', 9), ('EUR', '2026-06-16', 1.1),"
        " ('GBP', '2026-06-16', 1.25)"
    )
    ingest_indicators(db, dict.fromkeys(codes, FIGURE))
    publish(db)

    prices = {code: row["price_usd"] for code, row in shown(db).items()}
    assert prices == {
        "AAPL.US": 100,
        "MC.PA": pytest.approx(110),
        "VOD.LSE": pytest.approx(1.25),
        "NESN.SW": None,
    }


def test_a_rate_is_requested_once_a_listing_needs_it(db: Plan):
    quote(db, "VOD.LSE", "GBX")
    ingest_indicators(db, dict.fromkeys(("AAPL.US", "MC.PA", "VOD.LSE"), FIGURE))
    publish(db)
    publish(db)

    due = db.sql(
        "select v.asset, v.operation, v.units from headgate.v_assets_needing_processing as v"
        " where v.operation = 'fx_rates' order by 1"
    )
    assert due == [
        {"asset": "EURUSD.FOREX", "operation": "fx_rates", "units": 1},
        {"asset": "GBPUSD.FOREX", "operation": "fx_rates", "units": 1},
    ]


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("delete from equities.technical_indicators", "0 of 2 listings are left"),
        ("update equities.technical_indicators set close = 5001", "2 of 2 prices are more than"),
    ],
)
def test_rows_that_look_wrong_are_not_shown_and_an_alert_tells(db: Plan, fault, reason):
    ingest_indicators(db, {"AAPL.US": FIGURE, "MSFT.US": FIGURE})
    publish(db)
    db.sql(fault)
    result = publish(db)

    assert (result["is_published"], len(shown(db))) == (False, 2)
    assert result["reason"].startswith(reason)
    assert shown(db)["AAPL.US"]["price_usd"] == 100
    alerts = "select a.message from headgate.v_alerts as a where a.subject = 'screener' and a.resolved_at is null"
    assert reason in db.scalar(alerts)
    db.sql("delete from equities.screener")
    assert publish(db)["is_published"]
    assert db.sql(alerts) == []


def test_an_exchange_whose_prices_are_held_back_keeps_its_rows(db: Plan):
    ingest_indicators(db, {"AAPL.US": FIGURE, "MC.PA": FIGURE})
    publish(db)
    start = db.row("start_execution", p_pipeline="data_collection_equities", p_run_id="r1")
    db.sql(
        "insert into headgate.check_results"
        " (name, subject, execution_id, checked_at, status, value, failing_since)"
        " values ('bars_there', 'PA 2026-06-16', %(run)s, now(), 'failed', 0.1, now())",
        run=start["execution_id"],
    )
    later = {**FIGURE, "rsi_14": 70.0}
    ingest_indicators(db, {"AAPL.US": later, "MC.PA": later})
    result = publish(db)

    assert {code: row["rsi_14"] for code, row in shown(db).items()} == {"AAPL.US": 70, "MC.PA": 55}
    assert result["is_published"] and result["reason"].endswith("held back: PA")

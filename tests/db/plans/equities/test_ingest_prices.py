"""equities.ingest_prices: which bars are believed, which are not and why; nothing is written twice."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headgate.database import connect
from headgate.settings import Settings
from tests.db.plans.equities.feed import asset_id, bar, ingest, ingest_prices, prices, quarantine
from tests.limits import PATIENCE, wait_until
from tests.plan import Plan

MONDAY, TUESDAY, WEDNESDAY = "2026-06-15", "2026-06-16", "2026-06-17"


def test_bars_are_written_and_the_watermark_says_how_far_they_reach(db: Plan):
    result = ingest_prices(db, {"AAPL.US": [bar(MONDAY), bar(TUESDAY, close=12)]})["AAPL.US"]

    assert (result["status"], result["records"], result["reason"]) == ("success", 2, None)
    assert result["watermark"] == datetime(2026, 6, 16, tzinfo=UTC)
    assert prices(db) == {
        MONDAY: (10.5, 12.25, 9.75, 11.0, 10.8, 1000),
        TUESDAY: (10.5, 12.25, 9.75, 12.0, 10.8, 1000),
    }
    assert quarantine(db) == {}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"open": None}, "open missing"),
        (
            {"open": None, "high": None, "low": ..., "volume": 0},
            "open, high, low missing; volume zero",
        ),
        ({"adjusted_close": None}, "adjusted_close missing"),
        ({"low": 0}, "low not positive"),
        ({"close": -1, "adjusted_close": 0}, "close, adjusted_close not positive"),
        ({"high": 9}, "high below low"),
        ({"open": 13}, "open outside low and high"),
        ({"close": 9.7}, "close outside low and high"),
        ({"open": 13, "close": 9.7}, "open, close outside low and high"),
        ({"volume": 0}, "volume zero"),
        ({"volume": -1}, "volume negative"),
        ({"volume": 1e16}, "volume too large"),
        ({"volume": None}, "volume missing"),
        ({"open": "NaN"}, "open not a number"),
        ({"high": "Infinity"}, "high not finite"),
        ({"open": "N/A"}, "open not a number"),
        ({"open": {"raw": 1}, "volume": True}, "open, volume not a number"),
        ({"close": "N/A", "adjusted_close": None}, "close not a number; adjusted_close missing"),
    ],
)
def test_all_that_is_wrong_with_a_bar_is_said(db: Plan, changes: dict[str, Any], reason: str):
    answers = {"AAPL.US": [bar(MONDAY, **changes), bar(TUESDAY)]}
    result = ingest_prices(db, answers)["AAPL.US"]

    assert quarantine(db) == {MONDAY: reason}
    assert list(prices(db)) == [TUESDAY]
    assert (result["status"], result["records"]) == ("success", 1)
    assert result["reason"] == "1 of its bars are implausible"


def test_a_number_may_come_as_text(db: Plan):
    ingest_prices(db, {"AAPL.US": [bar(MONDAY, open="10.75", volume="2000")]})

    assert prices(db)[MONDAY][0] == 10.75
    assert prices(db)[MONDAY][-1] == 2000


def test_a_date_that_is_not_a_session_is_not_believed(db: Plan):
    answer = [bar("2025-12-24"), bar("2025-12-25"), bar("2025-12-27")]
    ingest_prices(db, {"AAPL.US": answer})

    assert list(prices(db)) == ["2025-12-24"]
    assert quarantine(db) == {"2025-12-25": "date no session", "2025-12-27": "date no session"}


def test_sessions_are_those_of_the_listing_s_own_calendar(db: Plan):
    fourth_of_july = [bar("2025-07-04")]
    ingest_prices(db, {"AAPL.US": fourth_of_july, "SAP.XETRA": fourth_of_july})

    assert (list(prices(db)), list(quarantine(db))) == ([], ["2025-07-04"])
    assert list(prices(db, "SAP.XETRA")) == ["2025-07-04"]


def test_before_the_loaded_calendar_begins_any_date_is_believed(db: Plan):
    ingest_prices(db, {"AAPL.US": [bar("1984-12-25"), bar("2011-12-25")]})

    assert list(prices(db)) == ["1984-12-25", "2011-12-25"]


def test_an_asset_without_a_calendar_has_no_sessions_to_miss(db: Plan):
    new = [{"code": "NOCAL.US", "group_key": "US"}]
    db.sql("select headgate.upsert_assets('equities', %(new)s)", new=json.dumps(new))
    ingest_prices(db, {"NOCAL.US": [bar("2025-12-25")]})

    assert list(prices(db, "NOCAL.US")) == ["2025-12-25"]


def test_a_future_bar_is_not_believed_and_moves_no_watermark(db: Plan):
    result = ingest_prices(db, {"AAPL.US": [bar(MONDAY), bar("2026-06-18")]})["AAPL.US"]

    assert quarantine(db) == {"2026-06-18": "date in the future"}
    assert result["watermark"] == datetime(2026, 6, 15, tzinfo=UTC)


def test_the_watermark_passes_a_bar_that_is_not_believed(db: Plan):
    answer = [bar(MONDAY), bar(TUESDAY, volume=0)]

    assert ingest_prices(db, {"AAPL.US": answer})["AAPL.US"]["watermark"].day == 16


def test_the_same_answer_again_writes_nothing(db: Plan):
    answers = {"AAPL.US": [bar(MONDAY), bar(TUESDAY, volume=0)], "MSFT.US": [bar(MONDAY)]}
    ingest_prices(db, answers)
    places = "select array(select ctid::text from {} order by 1) as places"
    before = [
        db.sql(places.replace("{}", x)) for x in ("equities.prices", "equities.prices_quarantine")
    ]
    results = ingest_prices(db, answers, now="2026-06-17 22:00:00+00")
    after = [
        db.sql(places.replace("{}", x)) for x in ("equities.prices", "equities.prices_quarantine")
    ]

    assert {x["records"] for x in results.values()} == {0}
    assert {x["watermark"].day for x in results.values()} == {15, 16}
    assert before == after


def test_only_what_has_changed_is_counted_and_written(db: Plan):
    ingest_prices(db, {"AAPL.US": [bar(MONDAY), bar(TUESDAY)]})
    answer = [bar(MONDAY), bar(TUESDAY, volume=1004), bar(WEDNESDAY)]
    result = ingest_prices(db, {"AAPL.US": answer})["AAPL.US"]

    assert result["records"] == 2
    assert [x[-1] for x in prices(db).values()] == [1000, 1004, 1000]


def test_the_previous_state_of_a_changed_bar_goes_to_the_revisions(db: Plan):
    for volume in (1000, 1004, 1004, 1008):
        ingest_prices(
            db, {"AAPL.US": [bar(MONDAY, volume=volume)]}, now=f"2026-06-17 22:{volume % 60}"
        )
    rows = db.sql(
        "select volume, known_from, known_to from equities.bar_revisions order by known_to"
    )

    assert [x["volume"] for x in rows] == [1000, 1004]
    assert [x["known_to"].minute for x in rows] == [44, 48]
    assert rows[1]["known_from"] == rows[0]["known_to"], "known without a gap"


@pytest.mark.parametrize(
    ("factor", "reason"),
    [(100, "a hundred times the bar before"), (0.01, "a hundredth of the bar before")],
)
def test_pence_are_not_pounds_until_the_whole_history_says_so(db: Plan, factor: float, reason: str):
    def priced(date: str, factor: float) -> dict[str, Any]:
        names = ("open", "high", "low", "close", "adjusted_close")
        return bar(date, **{x: bar(date)[x] * factor for x in names})

    ingest_prices(db, {"VOD.LSE": [bar(MONDAY), bar(TUESDAY)]})
    other_unit = [priced(x, factor) for x in (MONDAY, TUESDAY, WEDNESDAY)]
    results = [ingest_prices(db, {"VOD.LSE": x})["VOD.LSE"] for x in (other_unit, other_unit[2:])]

    assert [(x["status"], x["records"]) for x in results] == [("success", 0)] * 2
    assert sorted(prices(db, "VOD.LSE")) == [MONDAY, TUESDAY]
    assert quarantine(db, "VOD.LSE") == {WEDNESDAY: reason}
    ingest(db, "ingest_history", {"VOD.LSE": other_unit})
    assert sorted(prices(db, "VOD.LSE")) == [MONDAY, TUESDAY, WEDNESDAY]
    assert quarantine(db, "VOD.LSE") == {}


def test_a_split_of_a_hundred_is_not_an_other_unit(db: Plan):
    ingest_prices(db, {"AAPL.US": [bar(MONDAY)]})
    db.sql(
        "insert into equities.corporate_actions (asset_id, ex_date, kind, ratio, seen_at) "
        "values (%(asset)s, '2026-06-16', 'split', 0.01, now())",
        asset=asset_id(db, "AAPL.US"),
    )
    names = ("open", "high", "low", "close", "adjusted_close")
    ingest_prices(db, {"AAPL.US": [bar(TUESDAY, **{x: 1100.0 for x in names})]})

    assert TUESDAY in prices(db)


def test_one_poisonous_answer_does_not_harm_its_neighbours(db: Plan):
    codes = [
        x["code"]
        for x in db.sql("select code from headgate.assets where group_key = 'PA' limit 20")
    ]
    sound = {code: [bar(MONDAY), bar(TUESDAY)] for code in codes[1:]}
    answers = {codes[0]: [bar(MONDAY, open="N/A"), bar(TUESDAY)], **sound}
    results = ingest_prices(db, answers)

    assert {x["status"] for x in results.values()} == {"success"}
    assert [results[x]["records"] for x in codes] == [1] + [2] * 19
    assert list(quarantine(db, codes[0]).values()) == ["open not a number"]


def test_a_bar_leaves_the_quarantine_when_it_comes_well(db: Plan):
    ingest_prices(db, {"AAPL.US": [bar(MONDAY, volume=0), bar(TUESDAY, open=None)]})
    result = ingest_prices(db, {"AAPL.US": [bar(MONDAY)]})["AAPL.US"]

    assert result["records"] == 1
    assert list(prices(db)) == [MONDAY]
    assert quarantine(db) == {TUESDAY: "open missing"}


def test_a_believed_bar_gives_way_to_a_believed_one_only(db: Plan):
    ingest_prices(db, {"AAPL.US": [bar(MONDAY, volume=7)]})
    result = ingest_prices(db, {"AAPL.US": [bar(MONDAY, volume=0)]})["AAPL.US"]

    assert (result["status"], result["records"]) == ("success", 0)
    assert prices(db)[MONDAY][-1] == 7
    assert quarantine(db) == {}


def test_the_quarantine_keeps_the_values_and_the_run_that_brought_them(db: Plan):
    ingest_prices(db, {"AAPL.US": [bar(MONDAY, open=None, volume=0)]})
    ingest_prices(db, {"AAPL.US": [bar(MONDAY, open=13)]}, now="2026-06-17 22:00:00+00")
    (row,) = db.sql("select * from equities.prices_quarantine")

    assert (row["open"], row["high"], row["volume"]) == (13, 12.25, 1000)
    assert (row["reason"], row["run_id"]) == ("open outside low and high", "a run")
    assert row["seen_at"] == datetime(2026, 6, 17, 22, tzinfo=UTC)


def test_no_bars_are_a_success_without_a_watermark(db: Plan):
    result = ingest_prices(db, {"AAPL.US": []})["AAPL.US"]

    assert (result["status"], result["records"], result["watermark"]) == ("success", 0, None)
    assert result["reason"] == "the provider has no bars"


def test_a_cut_history_fails_and_nothing_of_it_is_written(db: Plan):
    warning = "Data is limited by one year as you have free subscription"
    results = ingest_prices(
        db,
        {
            "AAPL.US": [bar(MONDAY), bar(TUESDAY, warning=warning)],
            "MSFT.US": [bar(MONDAY), {"warning": warning}],
            "KO.US": [bar(MONDAY)],
        },
    )

    assert [x["status"] for x in results.values()] == ["failed", "failed", "success"]
    assert results["AAPL.US"]["reason"] == f"the provider cut the history: {warning}"
    assert (results["AAPL.US"]["watermark"], results["AAPL.US"]["records"]) == (None, 0)
    assert (prices(db), quarantine(db), prices(db, "MSFT.US")) == ({}, {}, {})
    assert list(prices(db, "KO.US")) == [MONDAY]


@pytest.mark.parametrize(
    "payload",
    [
        None,
        "",
        "Unauthenticated",
        "<html>maintenance</html>",
        '[{"date": "2026-06-15", "open": 1',
        '{"error": "none"}',
        "[1, 2]",
        "[[]]",
        "null",
        "12.5",
        '"text"',
        '[{"open": 1}]',
        '[{"date": "someday"}]',
        '[{"date": "2026-02-30"}]',
        '[{"date": 20260615.5}]',
        '[{"date": "\\u0000"}]',
        '[{"date": "2026-06-15", "open": 1}, null]',
        "[" * 100_000,
    ],
    ids=lambda x: repr(x)[:30],
)
def test_an_answer_that_is_not_an_array_of_bars_fails_its_own_listing(
    db: Plan, payload: str | None
):
    answers = {"MSFT.US": [bar(MONDAY)], "AAPL.US": payload, "KO.US": [bar(MONDAY, volume=0)]}
    results = ingest_prices(db, answers)

    assert [x["status"] for x in results.values()] == ["success", "failed", "success"]
    assert results["AAPL.US"]["reason"]
    assert (results["AAPL.US"]["records"], results["AAPL.US"]["watermark"]) == (0, None)
    assert (prices(db), quarantine(db)) == ({}, {})
    assert list(prices(db, "MSFT.US")) == [MONDAY]
    assert quarantine(db, "KO.US") == {MONDAY: "volume zero"}


def test_numbers_that_no_column_can_hold_spoil_their_own_bar(db: Plan):
    text = json.dumps([bar(MONDAY), bar(TUESDAY), bar(WEDNESDAY)])
    text = text.replace("10.5", "1e999", 1).replace("9.75", "1e-999", 1)
    ingest_prices(db, {"AAPL.US": text})

    assert quarantine(db) == {MONDAY: "open, low not a number"}
    assert list(prices(db)) == [TUESDAY, WEDNESDAY]


def test_a_date_that_comes_twice_alike_is_one_bar(db: Plan):
    result = ingest_prices(db, {"AAPL.US": [bar(MONDAY), bar(TUESDAY), bar(MONDAY)]})["AAPL.US"]

    assert result["records"] == 2
    assert (list(prices(db)), quarantine(db)) == ([MONDAY, TUESDAY], {})


def test_a_date_that_comes_twice_and_differs_is_not_believed(db: Plan):
    ingest_prices(db, {"AAPL.US": [bar(MONDAY), bar(TUESDAY), bar(MONDAY, close=10)]})

    assert list(prices(db)) == [TUESDAY]
    assert quarantine(db) == {MONDAY: "date more than once"}


@pytest.mark.parametrize("odd", [{}, {"open": "N/A"}])
def test_of_two_bars_of_a_date_the_sound_one_is_believed(db: Plan, odd: dict[str, Any]):
    answer = [bar(MONDAY, volume=0), bar(TUESDAY), bar(MONDAY, volume=7), bar(WEDNESDAY, **odd)]
    ingest_prices(db, {"AAPL.US": answer})

    assert prices(db)[MONDAY][-1] == 7
    assert MONDAY not in quarantine(db)


def test_of_two_bad_bars_of_a_date_the_last_is_kept(db: Plan):
    ingest_prices(db, {"AAPL.US": [bar(MONDAY, volume=0), bar(MONDAY, open=None)]})

    assert quarantine(db) == {MONDAY: "date more than once; open missing"}


def test_two_chunks_may_bring_the_same_bars_at_once(database: Settings):
    with (
        connect(database, "one", autocommit=False) as one,
        connect(database, "other") as other,
        ThreadPoolExecutor(1) as pool,
    ):
        ingest_prices(Plan(one), {"AAPL.US": [bar(MONDAY), bar(TUESDAY)]})
        late = pool.submit(
            ingest_prices, Plan(other), {"AAPL.US": [bar(TUESDAY, volume=5), bar(WEDNESDAY)]}
        )
        blocked = "select count(*) as n from pg_stat_activity where wait_event_type = 'Lock'"
        with connect(database, "watch") as watch:
            wait_until(lambda: late.done() or Plan(watch).scalar(blocked), "an answer or a lock")
        one.commit()

        assert late.result(timeout=PATIENCE)["AAPL.US"]["records"] == 2
        assert [x[-1] for x in prices(Plan(other)).values()] == [1000, 5, 1000]


numbers = st.one_of(
    st.none(), st.floats(0.01, 100).map(lambda x: round(x, 2)), st.sampled_from([0, -1, "x", "7"])
)
bars = st.fixed_dictionaries(
    {
        "date": st.dates(datetime(2026, 6, 1).date(), datetime(2026, 6, 21).date()).map(str),
        **dict.fromkeys(("open", "high", "low", "close", "adjusted_close"), numbers),
        "volume": st.one_of(st.none(), st.integers(-1, 5)),
    }
)


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(answers=st.lists(st.lists(bars, max_size=8), max_size=3))
def test_each_date_received_stands_in_exactly_one_place(
    db: Plan, answers: list[list[dict[str, Any]]]
):
    db.sql("delete from equities.prices")
    db.sql("delete from equities.prices_quarantine")
    for answer in answers:
        assert ingest_prices(db, {"AAPL.US": answer})["AAPL.US"]["status"] == "success"
        believed, doubted = set(prices(db)), set(quarantine(db))

        assert not believed & doubted
        assert {x["date"] for x in answer} <= believed | doubted
    received = {x["date"] for answer in answers for x in answer}

    assert set(prices(db)) | set(quarantine(db)) == received
    assert all(quarantine(db).values())

"""equities.add_exchange: Vienna, in any order of exchange, listings and calendar, without a superuser."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import permutations

import psycopg
import pytest

from headgate.migrate.run import migrate
from headgate.settings import Settings
from tests.db.plans.equities.feed import run
from tests.db.plans.equities.market import EVENING, Market, weekdays
from tests.plan import Plan

DAYS = weekdays("2026-06-15", 6)
CODES = [f"V{x}.VI" for x in range(5)]
STEP = "process_european_markets"
COVERED = "select group_keys from headgate.pipeline_steps where step = 'process_european_markets'"
SESSIONS = """
insert into headgate.trading_sessions (calendar, session, opens_at, closes_at)
select 'XWBO', t.session, t.opens_at, t.closes_at
from headgate.trading_sessions as t
where t.calendar = 'XETR' and t.session >= '2026-05-15'
"""


@pytest.fixture
def vienna(db: Plan) -> Market:
    db.freeze_clock(f"{DAYS[0]} 12:00:00+00")
    return Market(db, CODES, group="VI", calendar="XETR")


def add_exchange(db: Plan) -> None:
    db.call("equities.add_exchange", p_group_key="VI", p_calendar="XWBO")


def add_listings(db: Plan) -> None:
    about = {"group_key": "VI", "calendar": "XWBO", "attributes": {"exchange": "VIENNA"}}
    listings = [{"code": x, **about} for x in CODES]
    db.call("upsert_assets", p_universe="equities", p_assets=json.dumps(listings))


def add_calendar(db: Plan) -> None:
    """Do what the pipeline trading_calendars does."""
    db.sql(SESSIONS)


ORDERS = list(permutations([add_exchange, add_listings, add_calendar]))


@pytest.mark.parametrize("order", ORDERS, ids=lambda x: "-".join(y.__name__[4:] for y in x))
@pytest.mark.parametrize("evenings_between", [0, 1])
def test_in_any_order_each_session_s_actions_are_requested_once(
    db: Plan, vienna: Market, order: tuple[Callable[[Plan], None], ...], evenings_between: int
):
    evenings = iter(DAYS)
    log = []
    for do in order:
        do(db)
        for _ in range(evenings_between):
            vienna.day = next(evenings)
            log += run(db, f"{vienna.day} {EVENING}", vienna.answer)
    for vienna.day in evenings:
        log += run(db, f"{vienna.day} {EVENING}", vienna.answer)

    loaded_on = DAYS[0]
    if evenings_between:
        loaded_on = DAYS[max(order.index(add_exchange), order.index(add_listings))]
    for operation in ("splits_bulk", "dividends_bulk"):
        asked = [x for name, x, _ in log if name == operation]
        assert sorted(asked) == [f"VI {x}" for x in DAYS if x > loaded_on]
    assert {x for name, x, _ in log if name == "prices_historical"} == set(CODES)
    bars = "select count(distinct (asset_id, date)) from equities.prices where date = %(day)s"
    assert db.scalar(bars, day=DAYS[-1]) == len(CODES)


def test_adding_again_changes_nothing_and_says_what_is_there(db: Plan, vienna: Market):
    for _ in range(2):
        add_exchange(db)
    assert db.scalar(COVERED)[-2:] == ["SW", "VI"]

    add_listings(db)
    add_calendar(db)
    (row,) = db.call("equities.add_exchange", p_group_key="VI", p_calendar="XWBO")
    assert (row["group_key"], row["step"], row["listings"]) == ("VI", STEP, 5)
    assert row["sessions"] > 200
    due = "select next_due_at <= headgate.clock() from headgate.v_asset_states where asset = 'XWBO'"
    assert db.scalar(due), "the pipeline trading_calendars computes it"


def test_the_name_finds_it_like_the_code(db: Plan, vienna: Market):
    for add in ORDERS[0]:
        add(db)
    vienna.evening(DAYS[0])
    vienna.day = DAYS[1]
    log = run(db, f"{DAYS[1]} {EVENING}", vienna.answer, exchanges=["VIENNA"])

    assert ("splits_bulk", f"VI {DAYS[1]}") in {(x, y) for x, y, _ in log}


def test_a_run_for_an_exchange_that_no_step_covers_says_what_to_do(db: Plan, vienna: Market):
    add_listings(db)
    for name in ("VI", "VIENNA"):
        with (
            pytest.raises(psycopg.Error, match=f"no step of .* covers group '{name}'") as caught,
            db.connection.transaction(),
        ):
            vienna.group = name
            vienna.evening(DAYS[0])
        assert "equities.add_exchange" in str(caught.value.diag.message_hint)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"p_group_key": "VI", "p_calendar": ""}, "needs the calendar"),
        ({"p_group_key": "VI", "p_calendar": "XWBO", "p_step": "process_mars"}, "no step"),
        ({"p_group_key": "LS", "p_calendar": "XLIS", "p_step": "process_lse"}, "covered by step"),
        ({"p_group_key": None, "p_calendar": "XWBO"}, "p_group_keys must not contain null"),
    ],
)
def test_invalid_arguments_are_refused(db: Plan, arguments: dict[str, str], message: str):
    with pytest.raises(psycopg.Error, match=message):
        db.call("equities.add_exchange", **arguments)


def test_a_planner_adds_an_exchange_and_the_next_migrate_keeps_it(database: Settings, plan: Plan):
    plan.sql("set role headgate_planner")
    add_exchange(plan)
    add_listings(plan)
    plan.sql("reset role")
    plan.sql("delete from headgate.schema_files where path = 'plans/equities/plan.sql'")
    report = migrate(database)

    assert "plans/equities/plan.sql" in report.files
    assert plan.scalar(COVERED) == ["PA", "AS", "BR", "LS", "MC", "SW", "VI"]

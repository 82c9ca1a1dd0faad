"""The plan: what the pipeline promises, how answers are read, and repeatability."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from headgate.migrate.run import migrate
from headgate.settings import Settings
from headgate.worker.rules import Answer, Rules, compile_rules
from tests.plan import Plan

AGAIN = "delete from headgate.schema_files where path ~ '^plans/equities/(plan|data/.*)[.]sql$'"


@pytest.fixture
def rules(db: Plan) -> Rules:
    """Compile EODHD's rules as a runner does."""
    return compile_rules(
        db.sql(
            """
            select r.status, r.content_type, r.body, r.outcome, r.fault, r.blocks, r.reason
            from headgate.response_rules as r join headgate.providers as p using (provider_id)
            where p.name = 'eodhd' order by r.position
            """
        )
    )


@pytest.mark.parametrize(
    ("status", "content_type", "body", "outcome", "fault", "until"),
    [
        ("200", "application/json", '[{"date":"2026-06-15"}]', "success", "item", None),
        ("200", "application/json; charset=utf-8", "[]", "success", "item", None),
        ("200", "text/html", "<html>maintenance", "retry", "provider", None),
        ("200", "text/plain", "Unauthenticated", "deferred", "internal", "execution"),
        ("401", "text/plain", "Unauthenticated", "deferred", "internal", "execution"),
        ("403", "application/json", '{"error":"Forbidden"}', "deferred", "internal", "execution"),
        (
            "402",
            "text/plain",
            "You exceeded your daily API requests limit.",
            "deferred",
            "quota",
            "reset",
        ),
        (
            "429",
            "text/plain",
            "You exceeded your daily API requests limit.",
            "deferred",
            "quota",
            "reset",
        ),
        ("429", "text/html", "<html>Too Many Requests", "retry", "quota", "retry_after"),
        ("404", "text/plain", "Ticker Not Found.", "failed", "item", None),
        ("422", "application/json", "{}", "failed", "item", None),
        ("302", "text/html", "", "failed", "provider", None),
        ("500", "text/html", "", "retry", "provider", None),
        ("502", "text/html", "<html>Bad Gateway", "retry", "provider", None),
        ("error:timeout", "", "", "retry", "provider", None),
        ("error:connect", "", "", "retry", "provider", None),
        ("error:cut", "", "", "retry", "provider", None),
        (
            "200",
            "application/json",
            '[{"date":"2026-06-15","warning":"Data is limited by one year as you have free"}]',
            "deferred",
            "internal",
            "execution",
        ),
    ],
)
def test_answers_are_read_as_the_provider_means_them(
    rules: Rules,
    status: str,
    content_type: str,
    body: str,
    outcome: str,
    fault: str,
    until: str | None,
):
    judged = rules.judge(Answer(status, {"content-type": content_type}, body.encode()))

    assert (judged.outcome, judged.fault) == (outcome, fault)
    assert (judged.block.until if judged.block else None) == until


def test_the_pipeline_has_its_steps_in_order(db: Plan):
    steps = db.sql(
        """
        select s.step, s.depends_on, s.trigger_rule, s.function, s.group_keys
        from headgate.pipeline_steps as s join headgate.pipelines as p using (pipeline_id)
        where p.name = 'data_collection_equities' order by s.position
        """
    )
    fan_outs = {x["step"]: x["group_keys"] for x in steps if x["function"] is None}

    assert [x["step"] for x in steps] == [
        "initialize_execution",
        "discover_delta",
        "check_api_quota",
        *fan_outs,
        "publish_prices",
        "finalize_execution",
    ]
    assert fan_outs == {
        "process_us_markets": ["US"],
        "process_lse": ["LSE"],
        "process_german_markets": ["F", "XETRA"],
        "process_european_markets": ["PA", "AS", "BR", "LS", "MC", "SW"],
        "load_fx_rates": None,
    }
    assert all(x["depends_on"] == ["check_api_quota"] for x in steps if x["function"] is None)
    publish, finalize = steps[-2:]
    assert (publish["depends_on"], publish["trigger_rule"]) == (list(fan_outs), "all_done")
    assert (finalize["depends_on"], finalize["trigger_rule"]) == (["publish_prices"], "all_done")


def test_the_parameters_have_their_defaults(db: Plan):
    rows = db.sql(
        """
        select m.name, m.default_value from headgate.pipeline_parameters as m
        join headgate.pipelines as p using (pipeline_id) where p.name = 'data_collection_equities'
        """
    )

    assert {x["name"]: x["default_value"] for x in rows} == {
        "eodhd_daily_quota": 100_000,
        "eodhd_quota_buffer": 10_000,
        "max_new_assets_per_day": 8000,
        "max_price_updates_per_day": 25_000,
        "bulk_load_batch_size": 500,
        "incremental_batch_size": 5000,
        "mode": "auto",
        "exchanges": None,
        "tickers": None,
    }


def test_a_new_listing_costs_eleven_units_and_an_update_one(db: Plan):
    rows = db.sql(
        "select o.name, o.units, o.bundle, o.due_rule from headgate.operations as o where o.universe = 'equities' and o.bulk_call_of_operation_id is null"
    )

    assert {x["name"]: (x["units"], x["bundle"], x["due_rule"]) for x in rows} == {
        "fundamentals_bulk": (10, "new_listing", "once"),
        "prices_historical": (1, "new_listing", "once"),
        "prices_incremental": (1, None, "session"),
        "indicators_calculation": (0, None, "after"),
    }


def test_the_plan_ships_the_listings_and_their_sessions(db: Plan):
    listings = "select count(*) from headgate.v_assets where universe = 'equities'"
    unknown = """
        select count(*) from headgate.v_assets as a where a.universe = 'equities' and not exists (
            select from headgate.v_trading_sessions as t where t.calendar = a.calendar
        )
    """
    apple = db.sql("select * from headgate.v_assets where code = 'AAPL.US'")[0]

    assert (db.scalar(listings), db.scalar(unknown)) == (21_817, 0)
    assert (apple["group_key"], apple["calendar"], apple["weight"]) == ("US", "XNYS", 10_000)
    assert apple["attributes"]["exchange"] == "NASDAQ"


def test_applying_the_plan_again_leaves_the_operator_s_settings(database: Settings, plan: Plan):
    plan.call("set_provider", p_provider="eodhd", p_changes={"quota": 5000, "buffer": 0})
    plan.sql("update headgate.assets set is_active = false where code = 'AAPL.US'")
    plan.sql(AGAIN)
    report = migrate(database)
    provider = plan.sql("select * from headgate.providers where name = 'eodhd'")[0]

    assert {"plans/equities/plan.sql", "plans/equities/data/030_listings.sql"} <= {*report.files}
    assert (provider["quota"], provider["quota_buffer"]) == (5000, 0)
    assert not plan.scalar("select is_active from headgate.v_assets where code = 'AAPL.US'")
    assert (
        plan.scalar("select count(*) from headgate.v_assets where universe = 'equities'") == 21_817
    )
    assert (
        plan.scalar(
            "select count(*) from headgate.pipeline_steps join headgate.pipelines as p using (pipeline_id) where p.name = 'data_collection_equities'"
        )
        == 10
    )


def test_applying_the_data_again_brings_back_no_code_that_lists_have_ended(
    database: Settings, plan: Plan
):
    attributes = "select code, attributes ->> 'name' as name, is_active from headgate.assets "
    listed = [
        {"Code": x["code"][:-3], "Name": x["name"], "Isin": None}
        for x in plan.sql(attributes + "where universe = 'equities' and group_key = 'LS'")
    ]
    changed = {"EDP": {"Code": "EDPX"}, "NOS": {"Name": "Another Company", "Isin": "PT0000000001"}}
    plan.sql("update equities.listings set isin = 'PTZON0AM0006' where code = 'NOS.LS'")
    plan.call(
        "equities._take_list",
        p_group_key="LS",
        p_payload=json.dumps([x | changed.get(x["Code"], {}) for x in listed]),
        p_now="2026-06-01 21:00+00",
    )
    mine = attributes + "where code in ('EDP.LS', 'EDPX.LS', 'NOS.LS', 'NOS_old.LS') order by code"
    before = plan.sql(mine)
    plan.sql(AGAIN)
    migrate(database)

    assert plan.sql(mine) == before
    assert [x["code"] for x in before] == ["EDPX.LS", "NOS.LS", "NOS_old.LS"]


def test_a_first_run_asks_for_no_rate_of_exchange(db: Plan):
    assert db.sql("select * from headgate.v_assets where universe = 'fx'") == []


def test_an_edited_line_reloads_no_listing(database: Settings, plan: Plan, tmp_path: Path):
    db = tmp_path / "db"
    shutil.copytree(database.db, db)
    file = db / "plans/equities/plan.sql"
    file.write_text(
        file.read_text().replace("requests_per_minute => 1000", "requests_per_minute => 900")
    )
    report = migrate(replace(database, db=db))

    assert report.files == ["plans/equities/plan.sql"]
    assert (
        plan.scalar("select requests_per_minute from headgate.providers where name = 'eodhd'")
        == 900
    )


def test_the_file_is_short(database: Settings):
    assert len((database.db / "plans/equities/plan.sql").read_text().splitlines()) <= 200

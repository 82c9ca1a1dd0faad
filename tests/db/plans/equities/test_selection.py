"""The parameter `exchanges`: a group key and an exchange's name mean the same in all universes of the plan."""

from __future__ import annotations

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.plan import Plan

PIPELINE = "data_collection_equities"
NOON = "2026-06-17 12:00:00+00"
GROUPS = {
    "US": {"NASDAQ", "NYSE"},
    "LSE": {"LSE"},
    "F": {"FRANKFURT"},
    "XETRA": {"XETRA"},
    "PA": {"EURONEXT"},
    "AS": {"EURONEXT"},
    "BR": {"EURONEXT"},
    "LS": {"EURONEXT"},
    "MC": {"BME"},
    "SW": {"SIX"},
}
NAMES = sorted(GROUPS.keys() | set().union(*GROUPS.values()))
CHOSEN = """
select a.universe, a.group_key, a.attributes ->> 'exchange' as exchange, count(*) as assets
from headgate.pipelines as p
cross join unnest(headgate._selected_assets(p.pipeline_id, headgate._bare_options(%(params)s))) as u (asset_id)
join headgate.assets as a using (asset_id)
where p.name = 'data_collection_equities'
group by 1, 2, 3
"""
ALL = """
select a.universe, a.group_key, a.attributes ->> 'exchange' as exchange, count(*) as assets
from headgate.assets as a
where a.universe in ('equities', 'equities_days', 'equities_exchanges')
group by 1, 2, 3
"""


@pytest.fixture
def watched(small_db: Plan) -> Plan:
    """Watch all exchanges, as after their first histories; each has a few listings."""
    small_db.freeze_clock(NOON)
    small_db.sql("select equities._watch_groups(%(keys)s, %(now)s)", keys=list(GROUPS), now=NOON)
    return small_db


def expected(db: Plan, names: list[str]) -> list[dict[str, object]]:
    """Return the expected selection: listings by their own exchange, days and exchanges by their group's."""

    def is_chosen(row: dict[str, object]) -> bool:
        group = str(row["group_key"])
        exchanges = {row["exchange"]} if row["universe"] == "equities" else GROUPS[group]
        return group in names or bool(exchanges & set(names))

    return [x for x in db.sql(ALL) if is_chosen(x)]


def chosen(db: Plan, names: list[str]) -> list[dict[str, object]]:
    return db.sql(CHOSEN, params={"exchanges": names})


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(names=st.lists(st.sampled_from(NAMES), min_size=1, max_size=4, unique=True))
def test_any_names_choose_the_same_exchanges_in_every_universe(watched: Plan, names: list[str]):
    def key(row: dict[str, object]) -> str:
        return str(sorted(row.items(), key=str))

    assert sorted(chosen(watched, names), key=key) == sorted(expected(watched, names), key=key)


@pytest.mark.parametrize(
    ("names", "groups"),
    [
        (["NASDAQ", "NYSE"], {"US"}),
        (["NASDAQ"], {"US"}),
        (["US"], {"US"}),
        (["EURONEXT"], {"PA", "AS", "BR", "LS"}),
        (["FRANKFURT", "BME"], {"F", "MC"}),
    ],
)
def test_a_run_by_an_exchange_s_name_asks_for_its_splits_dividends_and_symbols(
    watched: Plan, names: list[str], groups: set[str]
):
    watched.freeze_clock("2026-06-25 23:45:00+00")
    rows = watched.call(
        "explain_summary", p_pipeline=PIPELINE, p_params={"exchanges": names}, p_quota=1_000_000
    )

    for operation in ("splits_bulk", "dividends_bulk", "symbol_list"):
        assert {x["group_key"] for x in rows if x["operation"] == operation} == groups, operation


def test_explain_forecast_and_why_choose_alike(watched: Plan):
    watched.freeze_clock("2026-06-25 23:45:00+00")
    params = {"exchanges": ["BME"], "operations": ["splits_bulk"]}
    (explained,) = watched.call("explain_summary", p_pipeline=PIPELINE, p_params=params)
    (day,) = watched.call("forecast", p_pipeline=PIPELINE, p_days=1, p_params=params)
    watched.call("run_pipeline", p_pipeline=PIPELINE, p_params={"exchanges": ["BME"]}, p_run_id="r")
    watched.call("check_quota", p_pipeline=PIPELINE, p_run_id="r")
    kept_out = {
        group: [
            x["reason"]
            for x in watched.call(
                "explain_asset_day", p_asset=f"{group} 2026-06-25", p_on="2026-06-25"
            )
            if x["operation"] == "splits_bulk"
        ]
        for group in ("MC", "LS")
    }

    assert (explained["group_key"], explained["count"]) == ("MC", 7)
    assert day["units"] == explained["units"] == 700
    assert kept_out["LS"] == ["outside the run's parameters"]
    assert kept_out["MC"] != kept_out["LS"]


def test_names_that_have_nothing_in_common_are_refused(watched: Plan):
    with pytest.raises(psycopg.Error, match="the parameters together select no asset"):
        watched.call(
            "explain_summary",
            p_pipeline=PIPELINE,
            p_params={"exchanges": ["LSE"], "tickers": ["AAPL.US"]},
        )

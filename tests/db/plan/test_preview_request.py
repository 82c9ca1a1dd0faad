"""preview_request renders the request that a claim would return, by the same functions, without a run."""

from __future__ import annotations

import pytest

from tests.db.toy import Toy


def test_a_preview_is_the_request_that_a_claim_hands_out(toy: Toy):
    (asset_id,) = toy.add()
    toy.tune(
        "look",
        query={"now": "{run.date}", "more": "{asset.more?}"},
        headers={"X-Code": "{asset.code}", "X": "1"},
    )
    toy.tune("look", method="POST", body={"codes": ["{asset.code}"], "at": "{run.date}"})

    row = toy.row("preview_request", p_operation="look", p_asset_id=asset_id)
    toy.begin()
    (chunk,) = toy.claim()

    assert row["url"] == chunk["urls"][0] == "/look/A0?now=2024-03-05"
    assert row["headers"] == chunk["headers"][0] == {"X-Code": "A0"}
    assert row["body"] == chunk["bodies"][0]
    runs_only = {"probe", "stop_before_seconds", "schedule", "in_flight"}
    assert row["call"].keys() - runs_only == chunk["call"].keys() - runs_only
    assert all(row["call"][x] == chunk["call"][x] for x in row["call"].keys() - runs_only)
    assert (row["pipeline"], row["step"], row["provider"], row["asset"], row["units"]) == (
        "plain", "a", "shop", "A0", 1,
    )  # fmt: skip


def test_nothing_stays_also_of_an_asset_that_has_not_needed_it_yet(toy: Toy):
    (asset_id,) = toy.add(group="W", universe="books")

    with toy.unchanged():
        row = toy.row("preview_request", p_operation="update", p_asset_id=asset_id)

    assert row["url"] == "/bars/W0"


def test_parameters_are_the_pipelines_and_the_step_is_of_the_assets_group(toy: Toy):
    (asset_id,) = toy.add(group="F", universe="books")

    row = toy.row(
        "preview_request", p_operation="open", p_asset_id=asset_id, p_params={"lang": "de"}
    )

    assert (row["url"], row["step"]) == ("/open/F0?lang=de", "east")
    with toy.refused("HG007", "'lnag'"):
        toy.row("preview_request", p_operation="open", p_asset_id=asset_id, p_params={"lnag": "de"})


def test_a_field_without_a_value_refuses_the_request_and_says_which(toy: Toy):
    (asset_id,) = toy.add()
    toy.tune("look", path="/look/{asset.isin}")

    row = toy.row("preview_request", p_operation="look", p_asset_id=asset_id)

    assert row["url"] is None and "asset.isin" in row["request_error"]


def test_an_operation_without_a_request_has_none(toy: Toy):
    (asset_id,) = toy.add(group="W", universe="books")

    row = toy.row("preview_request", p_operation="sum", p_asset_id=asset_id)

    assert (row["call"], row["url"], row["provider"]) == (None, None, "local")


def test_a_call_for_a_group_is_for_its_last_session(plan_of_shares):
    toy, asset_id = plan_of_shares

    row = toy.row("preview_request", p_operation="eod_bulk", p_asset_id=asset_id)
    page = toy.row("preview_request", p_operation="fundamentals_batch", p_asset_id=asset_id)

    assert row["url"].startswith("/eod-bulk-last-day/US?date=20") and row["units"] == 100
    assert page["url"].endswith("&symbols=AAPL.US&version=1.2") and page["units"] == 101


@pytest.fixture
def plan_of_shares(db):
    """Return the shipped plan, which has such calls, and a listing."""
    found = db.sql("select headgate.find_asset('equities', 'AAPL.US') as asset_id")
    return db, found[0]["asset_id"]


@pytest.mark.parametrize(
    ("arguments", "code", "said", "hint"),
    [
        ({"p_operation": "lok"}, "HG004", "unknown operation: 'lok'", "did you mean look?"),
        ({"p_asset_id": 0}, "HG009", "unknown asset: 0", "find_asset"),
        ({"p_operation": "open"}, "HG008", "works on assets of universe books, and A0 is in things", "v_assets"),
        ({"p_pipeline": "plian"}, "HG001", "unknown pipeline: 'plian'", "did you mean plain?"),
        ({"p_pipeline": "library"}, "HG008", "no step of pipeline library runs operation look", "run by: plain"),
    ],
)  # fmt: skip
def test_unknown_and_unfit_arguments_are_refused(toy: Toy, arguments, code, said, hint):
    (asset_id,) = toy.add()

    with toy.refused(code, said, hint):
        toy.row("preview_request", **{"p_operation": "look", "p_asset_id": asset_id, **arguments})

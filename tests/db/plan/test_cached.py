"""Plans of operations whose answers are cached: every request is reserved for, expected hits cost nothing."""

from __future__ import annotations

import json

import pytest

from tests.db.toy import Toy


@pytest.fixture
def served(toy: Toy) -> Toy:
    """Serve three of four jobs from the cache, in a run that is a day ago."""
    toy.tune(cache="1 hour")
    toy.add(4)
    toy.begin()
    (chunk,) = toy.claim()
    requests = [1, 0, 0, 0]
    toy.call(
        "complete_jobs",
        p_runner="w1",
        p_chunk_id=chunk["chunk_id"],
        p_lease_no=chunk["lease_no"],
        p_asset_ids=chunk["asset_ids"],
        p_outcomes=["success"] * 4,
        p_payloads=["{}"] * 4,
        p_request_counts=requests,
        p_charged=requests,
        p_answers=[json.dumps({"status": 200, "headers": {}})] * 4,
    )
    toy.finish()
    toy.later(days=1)
    return toy


def test_explain_says_what_is_expected_and_reserves_all(served: Toy):
    rows = served.call("explain_plan", p_pipeline="plain")
    pairs = [x for x in rows if x["operation"] == "look"]

    assert [x["units"] for x in pairs] == [1] * 4
    evidence = {(x["evidence"]["cache_hit_ratio"], x["evidence"]["expected_units"]) for x in pairs}
    assert evidence == {(0.75, 0.25)}
    assert sum(x["units"] for x in served.begin(run="r2")) == 4
    assert served.units() == (4, 0)


def test_a_forecast_spends_what_is_expected(served: Toy):
    assert [x["units"] for x in served.call("forecast", p_pipeline="plain", p_days=2)] == [1, 1]

    served.tune(cache=None)
    assert [x["units"] for x in served.call("forecast", p_pipeline="plain", p_days=2)] == [4, 4]


def test_without_a_run_nothing_is_expected(toy: Toy):
    toy.tune(cache="1 hour")
    toy.add()

    (row,) = [x for x in toy.call("explain_plan", p_pipeline="plain") if x["operation"] == "look"]
    assert "cache_hit_ratio" not in row["evidence"]
    assert toy.row("forecast", p_pipeline="plain", p_days=1)["units"] == 1

"""Totals of the plan: they agree with its rows, and count every pair of the pipeline once."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from tests.db.plan.test_explain_plan import PARAMS, crowd
from tests.db.toy import Toy


def totals(toy: Toy, pipeline: str = "library", **arguments: Any) -> list[dict[str, Any]]:
    """Count the plan of a pipeline."""
    return toy.call("explain_totals", p_pipeline=pipeline, **arguments)


@pytest.mark.parametrize("params", PARAMS, ids=str)
def test_totals_count_what_explain_plan_lists(toy: Toy, params: dict[str, Any]):
    crowd(toy)
    listed: Counter[tuple[str, str, str]] = Counter()
    units: Counter[tuple[str, str, str]] = Counter()
    for x in toy.call("explain_plan", p_pipeline="library", p_params=params):
        key = (x["group_key"], x["operation"], x["decision"])
        listed[key] += 1
        units[key] += x["units"]

    counted: Counter[tuple[str, str, str]] = Counter()
    charged: Counter[tuple[str, str, str]] = Counter()
    for x in totals(toy, p_params=params):
        if x["decision"] != "skip":
            key = (x["group_key"], x["operation"], x["decision"])
            counted[key] += x["count"]
            charged[key] += x["units"]
    assert (counted, charged) == (listed, units)


def test_each_pair_of_the_pipeline_is_counted_once(toy: Toy):
    crowd(toy)

    pairs = toy.scalar(
        "select count(*) from headgate.asset_processing_state as s"
        " join headgate.assets as a using (asset_id) join headgate.operations as o using (operation_id)"
        " where a.universe = 'books' and (o.name = 'sum' or a.group_key in ('W', 'E', 'F'))"
    )
    assert sum(x["count"] for x in totals(toy)) == pairs
    assert sum(x["count"] for x in totals(toy, p_params={"mode": "new"})) == pairs


def test_why_pairs_are_left_out_is_reported(toy: Toy):
    crowd(toy)
    toy.start("r2", "library", p_params={"max_new": 2})
    toy.check("r2", "library")
    toy.call("set_asset_active", p_asset_id=toy.add(1, "E", "books")[0], p_is_active=False)

    reasons = Counter[str]()
    for x in totals(toy):
        if x["decision"] == "skip":
            reasons[x["reason"]] += x["count"]
    assert reasons.keys() >= {"held by a run", "the asset is not active", "done", "opens later"}
    assert reasons["held by a run"] == toy.scalar(
        "select sum(cardinality(asset_ids)) from headgate.chunks"
    )


def test_waiting_work_has_its_reason_and_its_earliest_time(toy: Toy):
    toy.provider(quota=11)
    toy.add(2, "W", "books")

    (row,) = [x for x in totals(toy) if x["decision"] == "defer" and x["operation"] == "open"]
    assert (row["reason"], row["count"], row["units"], row["provider"], row["run_at"]) == (
        "quota exhausted before this asset's rank",
        1,
        10,
        "shop",
        toy.window_closes(),
    )


def test_asking_changes_nothing_and_wrong_questions_are_refused(toy: Toy):
    crowd(toy)

    with toy.unchanged():
        totals(toy, p_at="2024-05-01", p_quota=7)
    with toy.refused("HG001", "unknown pipeline: 'x'"):
        totals(toy, "x")
    with toy.refused("HG008", "the quota cannot be negative: -1"):
        totals(toy, p_quota=-1)

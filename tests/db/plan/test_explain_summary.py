"""The plan in totals."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from tests.db.toy import Toy


@pytest.mark.parametrize("params", [{}, {"quota": 25}, {"max_new": 1}, {"mode": "known"}], ids=str)
@pytest.mark.parametrize("asked", [False, True])
def test_the_summary_s_totals_are_those_of_explain_plan(
    toy: Toy, params: dict[str, Any], asked: bool
):
    assets = toy.add(4, "W", "books") + toy.add(3, "F", "books")
    toy.begin("west", pipeline="library", assets=["W0", "F0"])
    toy.drain(says={"watermark": "2024-03-01"})
    toy.finish(pipeline="library")
    arguments = {"p_pipeline": "library", "p_params": params, "p_assets": assets if asked else None}

    count: Counter[tuple[str, ...]] = Counter()
    units: Counter[tuple[str, ...]] = Counter()
    for row in toy.call("explain_plan", **arguments):
        key = (row["group_key"], row["operation"], row["decision"])
        count[key] += 1
        units[key] += row["units"]
    rows = toy.call("explain_summary", **arguments)
    found = {(x["group_key"], x["operation"], x["decision"]): x for x in rows}
    assert {x: y["count"] for x, y in found.items()} == count
    assert {x: y["units"] for x, y in found.items()} == dict(units)


def test_wrong_questions_are_refused(toy: Toy):
    with toy.refused("HG001"):
        toy.call("explain_summary", p_pipeline="x")
    with toy.refused("HG008", "negative"):
        toy.call("explain_summary", p_pipeline="library", p_quota=-5)
    with toy.refused("HG007"):
        toy.call("explain_summary", p_pipeline="library", p_params={"x": 1})

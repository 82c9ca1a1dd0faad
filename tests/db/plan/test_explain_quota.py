"""What a run could spend according to the plan."""

from __future__ import annotations

from typing import Any

from tests.db.toy import Toy


def quota(toy: Toy, pipeline: str = "library", **arguments: Any) -> dict[str, dict[str, Any]]:
    """Return the budgets of a pipeline by provider."""
    rows = toy.call("explain_quota", p_pipeline=pipeline, **arguments)
    return {x["provider"]: x for x in rows}


def test_the_answer_tells_what_the_window_has_left(toy: Toy):
    toy.add(3)
    toy.begin()

    found = quota(toy, "plain")
    assert list(found) == ["shop"]
    assert (found["shop"]["usable"], found["shop"]["units_left"]) == (100, 97)
    assert found["shop"]["closes_at"] == toy.window_closes()
    assert quota(toy)["local"]["units_left"] is None


def test_another_quota_parameters_and_time_are_asked_about(toy: Toy):
    toy.add(3)
    toy.begin()

    assert quota(toy, p_quota=10)["shop"]["units_left"] == 7
    assert quota(toy, p_params={"quota": 60, "buffer": 25})["shop"]["usable"] == 35
    assert quota(toy, p_at="2024-03-06 12:00+00")["shop"]["units_left"] == 100


def test_a_blocked_provider_has_nothing_left_until_it_opens(toy: Toy):
    toy.provider(blocked_until="2024-03-05 18:00+00")

    found = quota(toy, "plain")["shop"]
    assert found["blocked_until"].hour == 18


def test_the_answer_has_shares(toy: Toy):
    toy.sql(
        "insert into headgate.quota_shares (provider_id, pipeline_id, ceiling_share)"
        " select r.provider_id, p.pipeline_id, 0.2 from headgate.providers as r, headgate.pipelines as p"
        " where r.name = 'shop' and p.name = 'plain'"
    )
    assert quota(toy, "plain")["shop"]["units_left"] == 20


def test_wrong_questions_are_refused(toy: Toy):
    with toy.refused("HG001", "unknown pipeline: 'x'"):
        quota(toy, "x")
    with toy.refused("HG008"):
        quota(toy, p_quota=-1)

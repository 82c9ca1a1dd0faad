"""Expectations: what must hold of a good answer, and the result of a job whose answer violates them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.db.toy import Toy
from tests.plan import Row

HEALTHY = '$.body.state == "healthy"'


def expect(toy: Toy, *rows: tuple[str, str, str | None], **columns: Any) -> None:
    """Declare these expectations of the operation `look`."""
    expectations = [dict(zip(("predicate", "verdict", "reason"), row, strict=True)) for row in rows]
    toy.tune(expectations=expectations, **columns)


def claimed(toy: Toy, count: int = 1, **more: Any) -> Row:
    toy.add(count, **more)
    toy.begin()
    (chunk,) = toy.claim()
    return chunk


def answered(toy: Toy, chunk: Row, *answers: Any, outcome: str = "success", **head: Any) -> None:
    """Complete one job per answer, as a runner does."""
    many = len(answers)
    toy.call(
        "complete_jobs",
        p_runner="w1",
        p_chunk_id=chunk["chunk_id"],
        p_lease_no=chunk["lease_no"],
        p_asset_ids=chunk["asset_ids"][:many],
        p_outcomes=[outcome] * many,
        p_payloads=[x if isinstance(x, str) else json.dumps(x) for x in answers],
        p_durations_ms=[7] * many,
        p_answers=[json.dumps({"status": 200, "duration_ms": 7.25} | head)] * many,
    )


def degraded(toy: Toy) -> int:
    """Count the marked jobs of the step."""
    return int(toy.scalar("select degraded from headgate.process_steps where step = 'a'"))


def ended(toy: Toy) -> list[tuple[Any, ...]]:
    return [
        (x["status"], x["verdict"], x["reason"])
        for x in sorted(toy.details(), key=lambda x: x["asset_id"])
    ]


def test_an_answer_that_meets_all_expectations_is_a_plain_success(toy: Toy):
    expect(toy, (HEALTHY, "failed", "ill"), ("$.duration_ms < 100", "degraded", "slow"))
    answered(toy, claimed(toy), {"state": "healthy"})

    assert ended(toy) == [("success", None, None)]
    assert degraded(toy) == 0


def test_degraded_is_a_success_with_a_mark(toy: Toy):
    expect(toy, (HEALTHY, "degraded", "it says {body.state}"))
    answered(toy, claimed(toy, 3), {"state": "ill"}, {"state": "healthy"}, {"state": "worn"})

    assert ended(toy) == [
        ("success", "degraded", "it says ill"),
        ("success", None, None),
        ("success", "degraded", "it says worn"),
    ]
    (step,) = toy.sql(
        "select succeeded, degraded, status from headgate.v_execution_steps where step = 'a'"
    )
    assert step == {"succeeded": 3, "degraded": 2, "status": "succeeded"}
    assert toy.scalar("select count(*) from toy.answers") == 3
    counts = toy.scalar(
        "select document -> 'steps' -> 'a' -> 'counts' from headgate.v_run_documents"
    )
    assert counts["degraded"] == 2
    history = toy.sql("select verdict, reason, error from headgate.v_asset_processing_history")
    assert {"verdict": "degraded", "reason": "it says ill", "error": None} in history


@pytest.mark.parametrize("verdict", ["failed", "skipped"])
def test_an_answer_that_does_not_meet_one_ends_as_it_says_and_stores_nothing(
    toy: Toy, verdict: str
):
    expect(toy, (HEALTHY, verdict, "it says {body.state}"), max_attempts=1)
    answered(toy, claimed(toy, 2), {"state": "ill"}, {"state": "healthy"})

    assert ended(toy) == [(verdict, verdict, "it says ill"), ("success", None, None)]
    assert toy.scalar("select count(*) from toy.answers") == 1


def test_a_retry_waits_as_any_other_and_uses_up_attempts(toy: Toy):
    expect(toy, (HEALTHY, "retry", "it is {body.state}"), max_attempts=2)
    answered(toy, claimed(toy), {"state": "starting"})

    assert toy.chunks()[0]["park_reason"] == "item: it is starting"
    toy.later(minutes=1)
    answered(toy, toy.claim()[0], {"state": "starting"})
    assert ended(toy) == [("failed", "retry", "it is starting")]


def test_a_retry_that_is_met_the_second_time_leaves_no_mark(toy: Toy):
    expect(toy, (HEALTHY, "retry", "it is {body.state}"))
    answered(toy, claimed(toy), {"state": "starting"})
    toy.later(minutes=1)
    answered(toy, toy.claim()[0], {"state": "healthy"})

    assert ended(toy) == [("success", None, None)]


def test_the_first_that_does_not_hold_decides(toy: Toy):
    expect(
        toy,
        ("$.status == 200", "failed", "status"),
        ("$.body.a == 1", "degraded", "first"),
        ("$.body.b == 1", "failed", "second"),
    )
    answered(toy, claimed(toy, 2), {"a": 0, "b": 0}, {"a": 1, "b": 0})

    assert ended(toy) == [("success", "degraded", "first"), ("failed", "failed", "second")]


def test_expectations_see_status_duration_headers_body_and_asset(toy: Toy):
    expect(
        toy,
        (
            '$.status == 200 && $.duration_ms == 7.25 && $.headers."x-at" == "noon"'
            ' && $.body[0] == "ä" && $.asset.code == "A0" && $.asset.most >= $.duration_ms',
            "failed",
            None,
        ),
    )
    chunk = claimed(toy, attributes={"most": 10})
    answered(toy, chunk, ["ä"], headers={"x-at": "noon"})

    assert ended(toy) == [("success", None, None)]


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        (None, f"expected {HEALTHY}"),
        ("", f"expected {HEALTHY}"),
        ("{status} {duration_ms} {asset.code} {headers.x-at}", "200 7.25 A0 noon"),
        ("{body.gone} {body.list} {a b} {", 'null [1, "x"] {a b} {'),
    ],
)
def test_a_reason_names_what_was_seen(toy: Toy, reason: str | None, said: str):
    expect(toy, (HEALTHY, "degraded", reason))
    answered(toy, claimed(toy), {"list": [1, "x"]}, headers={"x-at": "noon"})

    assert ended(toy) == [("success", "degraded", said)]


@pytest.mark.parametrize("answer", ["plain text", "[]", "null", "7", "", '{"state": null}', '"x"'])
def test_an_answer_without_what_is_compared_does_not_meet_them(toy: Toy, answer: str):
    expect(toy, (HEALTHY, "failed", "ill"), ingest_function=None)
    answered(toy, claimed(toy), answer)

    assert ended(toy) == [("failed", "failed", "ill")]


def test_a_value_that_cannot_be_compared_does_not_meet_an_expectation(toy: Toy):
    expect(toy, ("$.body.state > 5", "degraded", "odd"))
    answered(toy, claimed(toy), {"state": "ill"})

    assert ended(toy) == [("success", "degraded", "odd")]


def test_a_predicate_that_cannot_be_evaluated_is_an_internal_fault_of_its_job_alone(toy: Toy):
    expect(toy, ("$.body.ok", "failed", "not ok"))
    answered(toy, claimed(toy, 3), {"ok": True}, {"ok": "perhaps"}, {"ok": False})

    first, second, third = ended(toy)
    assert first == ("success", None, None)
    assert second[:2] == ("deferred", None)
    assert second[2].startswith("internal: expectation $.body.ok cannot be evaluated: ")
    assert third == ("failed", "failed", "not ok")
    assert toy.scalar("select count(*) from toy.answers") == 1
    breaker = toy.breaker()
    assert (breaker["failures"], breaker["auth_failures"]) == (0, 0)
    assert "cannot be evaluated" in toy.scalar("select message from headgate.v_alerts")


def test_expectations_are_asked_of_good_answers_alone(toy: Toy):
    expect(toy, (HEALTHY, "degraded", "ill"))
    answered(toy, claimed(toy), {"state": "ill"}, outcome="failed")

    assert [x[:2] for x in ended(toy)] == [("failed", None)]


def test_the_outputs_of_an_answer_that_failed_are_kept(toy: Toy):
    expect(toy, (HEALTHY, "failed", "ill"), outputs={"answer": "$.body"})
    answered(toy, claimed(toy), {"state": "ill", "since": "noon"})

    output = toy.scalar("select headgate.step_output('plain', 'r1', 'a')")
    assert output == {"answer": {"state": "ill", "since": "noon"}}


def test_an_ingest_function_has_the_last_word(toy: Toy):
    expect(toy, (HEALTHY, "degraded", "ill"))
    answered(toy, claimed(toy), {"status": "failed", "reason": "unreadable"})

    assert ended(toy) == [("failed", "degraded", "unreadable")]
    assert degraded(toy) == 0


def test_a_job_that_runs_again_is_counted_once(toy: Toy):
    expect(toy, (HEALTHY, "degraded", "ill"))
    toy.start(p_driver="headgate")
    answered(toy, claimed(toy, 2), {"state": "ill"}, {"state": "ill"})
    toy.call("rerun_step", p_pipeline="plain", p_run_id="r1", p_step="a")
    answered(toy, toy.claim()[0], {"state": "ill"}, {"state": "healthy"})

    assert degraded(toy) == 1


def test_an_operation_without_expectations_asks_runners_for_nothing(toy: Toy):
    assert "answers" not in claimed(toy)["call"]


def test_runners_report_headers_if_an_expectation_reads_them(toy: Toy):
    expect(toy, ('$.headers."x-at" == "noon"', "failed", "late"))
    assert claimed(toy)["call"]["answers"] == "headers"

"""put_operation(..., expectations => ...): rows of predicate, verdict and reason."""

from __future__ import annotations

import pytest

from tests.db.declare.conftest import OPERATION, PIPELINE, PROVIDER, STEP, Shelf

HEALTHY = """['$.body.state == "healthy"', 'degraded', 'it says {body.state}']"""


def expecting(*rows: str) -> tuple[str, ...]:
    operation = f"{OPERATION[:-1]}, expectations => array[{', '.join(rows)}])"
    return (PROVIDER, operation, PIPELINE, STEP)


def test_expectations_are_kept_in_their_order(shelf: Shelf):
    shelf.put(*expecting("['$.status == 200', 'failed', null]", HEALTHY))

    found = shelf.toy.scalar("select expectations from headgate.operations where name = 'dust'")
    assert found == [
        {"predicate": "$.status == 200", "verdict": "failed", "reason": None},
        {
            "predicate": '$.body.state == "healthy"',
            "verdict": "degraded",
            "reason": "it says {body.state}",
        },
    ]


def test_expectations_that_are_no_longer_declared_are_gone(shelf: Shelf):
    shelf.put(*expecting(HEALTHY))
    answers = shelf.put(PROVIDER, OPERATION, PIPELINE, STEP)

    assert answers[1] == "changed: expectations"
    assert shelf.row("operations", "dust")["expectations"] is None


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("['$.body.', 'failed', 'x']", "expectation '$.body.' is not a jsonpath"),
        ("['$.body.ok', 'failed', 'x']", "expectation '$.body.ok' is no predicate"),
        ("[null, 'failed', 'x']", "expectation null is no predicate"),
        ("['$.status == 1', 'faild', 'x']", "has the unknown verdict 'faild'"),
        ("['$.status == 1', null, 'x']", "has the unknown verdict null"),
        ("['$.bodi.a == 1', 'failed', 'x']", "reads 'bodi', which answers do not have"),
        ("['$.body.a == 1', 'failed', '{bodi.a}']", "its reason names {bodi.a}"),
        ("['$.status == 1', 'failed']", "are not rows of predicate, verdict and reason"),
        ("'$.status == 1', 'failed', 'x'", "are not rows of predicate, verdict and reason"),
    ],
)
def test_a_mistake_in_an_expectation_is_named(shelf: Shelf, row: str, said: str):
    found = shelf.mistakes(*expecting(row))
    assert "operation dust: expectation" in found
    assert said in found


def test_a_near_miss_is_suggested(shelf: Shelf):
    said = shelf.mistakes(*expecting("['$.bodi.a == 1', 'failed', 'x']"))
    assert "did you mean body" in said


def test_expectations_are_of_a_call_for_one_asset(shelf: Shelf):
    said = shelf.mistakes(
        "put_operation('sum_up', 'tomes', due => 'every 1 day', ingest_function => 'toy.keep',"
        f" expectations => array[{HEALTHY}])",
        "put_pipeline('shelves')",
        "put_step('shelves', 'all', operations => '{sum_up}')",
    )
    assert "expectations are of a call for one asset" in said


def test_a_bulk_call_that_would_pass_them_by_is_named(shelf: Shelf):
    said = shelf.mistakes(
        PROVIDER,
        f"{OPERATION[:-1]}, expectations => array[{HEALTHY}])",
        "put_operation('dust_all', 'tomes', due => 'every 1 day', provider => 'shelf', units => 2,"
        " bulk_call_of => 'dust', request => 'GET /dust', ingest_function => 'toy.keep')",
        PIPELINE,
        STEP,
    )
    assert "operation dust has expectations, and a bulk call that brings none" in said

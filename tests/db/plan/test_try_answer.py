"""try_answer: the ingest function's result for an answer, and the rows it would write; all undone."""

from __future__ import annotations

import json

import psycopg
import pytest

from tests.db.toy import Toy
from tests.plan import Row


def try_answer(toy: Toy, operation: str = "look", universe: str = "things", **says: object) -> Row:
    """Try an answer for a new asset."""
    group = "A" if universe == "things" else "W"
    (asset_id,) = toy.add(group=group, universe=universe)
    with toy.unchanged():
        return toy.row(
            "try_answer", p_operation=operation, p_asset_id=asset_id, p_answer=json.dumps(says)
        )


def test_a_trial_says_what_would_be_written_and_writes_nothing(toy: Toy):
    row = try_answer(toy, records=3, watermark="2024-03-04T00:00:00Z", reason="fine")

    assert (row["status"], row["records"], row["reason"]) == ("success", 3, "fine")
    assert row["watermark"].isoformat() == "2024-03-04T00:00:00+00:00"
    assert row["written"] == {"toy.answers": {"inserted": 1, "updated": 0, "deleted": 0}}


def test_rows_that_were_written_before_are_not_counted(toy: Toy):
    toy.sql("insert into toy.answers values (0, 'x', null, 1, '{}')")

    assert try_answer(toy)["written"]["toy.answers"]["inserted"] == 1


def test_the_ingest_function_is_reported_what_it_would_be_reported(toy: Toy):
    toy.tune("look", ingest_function="toy.tell")
    toy.sql("""
        set role headgate_plan_toy;
        create function toy.tell(p_context jsonb, p_asset_ids bigint[], p_payloads text[])
        returns setof headgate.ingest_result language sql security definer set search_path = pg_catalog, pg_temp as $func$
            select p_asset_ids[1], 'success', 1, null::timestamptz, p_context::text;
        $func$;
        grant execute on function toy.tell to headgate_nobody;
        reset role
    """)

    told = json.loads(try_answer(toy)["reason"])

    assert (told["pipeline"], told["step"], told["operation"], told["group_key"]) == (
        "plain", "a", "look", "A",
    )  # fmt: skip
    assert told["run"]["date"] == "2024-03-05" and told["run_id"].startswith("trial ")


@pytest.mark.parametrize(
    ("says", "status", "reason"),
    [
        ({"status": "failed", "reason": "no title"}, "failed", "no title"),
        ({"status": "skipped", "reason": "nothing new"}, "skipped", "nothing new"),
        ({"raise": "22023"}, "failed", "poison in asset"),
        ({"raise": "42501"}, "deferred", "toy.keep: poison in asset"),
    ],
)
def test_a_trial_s_error_is_that_of_a_run(toy: Toy, says, status, reason):
    row = try_answer(toy, **says)

    assert row["status"] == status and row["reason"].startswith(reason)


def test_an_operation_without_a_request_needs_no_answer(toy: Toy):
    (asset_id,) = toy.add(group="W", universe="books")

    row = toy.row("try_answer", p_operation="sum", p_asset_id=asset_id, p_answer=None)

    assert (row["status"], row["written"]["toy.answers"]["inserted"]) == ("success", 1)


def test_without_an_ingest_function_nothing_is_kept(toy: Toy):
    toy.tune("look", ingest_function=None)

    row = try_answer(toy)

    assert (row["status"], row["written"]) == ("success", {})
    assert "no ingest function" in row["reason"]


def test_an_asset_that_the_function_passes_over_has_failed(db):
    found = db.sql("select headgate.find_asset('equities', 'AAPL.US') as asset_id")
    names = {"p_operation": "eod_bulk", "p_asset_id": found[0]["asset_id"]}

    row = db.row("try_answer", **names, p_answer="[]")

    assert row["reason"] == "the ingest function returned no row for this asset"


def test_a_handler_is_not_tried(db):
    found = db.sql("select headgate.find_asset('equities', 'AAPL.US') as asset_id")
    names = {"p_operation": "indicators_calculation", "p_asset_id": found[0]["asset_id"]}

    with pytest.raises(psycopg.Error, match="has a handler"):
        db.row("try_answer", **names, p_answer=None)


def expecting(toy: Toy, verdict: str) -> None:
    expectation = {
        "predicate": "$.body.a == 1 && $.status == 200",
        "verdict": verdict,
        "reason": "a is {body.a}",
    }
    toy.tune("look", expectations=[expectation])


@pytest.mark.parametrize("verdict", ["failed", "retry", "skipped"])
def test_an_answer_that_is_not_as_expected_is_not_stored(toy: Toy, verdict: str):
    expecting(toy, verdict)
    row = try_answer(toy, a=2)

    assert (row["status"], row["verdict"], row["reason"]) == (verdict, verdict, "a is 2")
    assert row["written"] == {}


def test_a_degraded_answer_is_stored_and_says_why(toy: Toy):
    expecting(toy, "degraded")
    row = try_answer(toy, a=2)

    assert (row["status"], row["verdict"], row["reason"]) == ("success", "degraded", "a is 2")
    assert row["written"]["toy.answers"]["inserted"] == 1


def test_status_and_headers_count_besides_the_body(toy: Toy):
    expecting(toy, "failed")
    (asset_id,) = toy.add()
    for status, became in ((200, "success"), (201, "failed")):
        row = toy.row(
            "try_answer", p_operation="look", p_asset_id=asset_id, p_answer='{"a": 1}',
            p_head=json.dumps({"status": status}),
        )  # fmt: skip
        assert row["status"] == became

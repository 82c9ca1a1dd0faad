"""delivery at_most_once: a request that may have been sent is not sent again, and its job says so."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.db.toy import Toy
from tests.plan import Row

UNKNOWN = "internal: unknown whether it was sent: "

DUE = "update headgate.operations set due_rule = %(rule)s, due_every = null where name = 'look'"


@pytest.fixture
def chunk(toy: Toy) -> Row:
    """Two jobs of an operation that must not be repeated, claimed."""
    toy.tune(delivery="at_most_once")
    toy.add(2)
    toy.begin()
    return toy.claim()[0]


def lose(toy: Toy, chunk: Row) -> None:
    """Report that the work on the chunk died."""
    token = {"p_chunk_id": chunk["chunk_id"], "p_lease_no": chunk["lease_no"]}
    toy.call("lose_lease", p_runner="w1", **token, p_reason="it hung")


def run_out(toy: Toy, chunk: Row) -> None:
    """Let the lease expire."""
    toy.expire(chunk)


def due(toy: Toy) -> int:
    """Return how many needs are due at any time."""
    return int(
        toy.scalar(
            "select count(*) from headgate.asset_processing_state as s"
            " join headgate.operations as o using (operation_id)"
            " where o.name = 'look' and s.next_due_at is not null"
        )
    )


@pytest.mark.parametrize(("end", "why"), [(lose, "it hung"), (run_out, "its lease expired")])
def test_a_dead_lease_ends_its_jobs_and_nothing_is_called_again(
    toy: Toy, chunk: Row, end: Callable[[Toy, Row], None], why: str
):
    end(toy, chunk)

    assert toy.claim("w2") == []
    assert {(x["status"], x["reason"]) for x in toy.details()} == {("deferred", UNKNOWN + why)}
    assert due(toy) == 0
    assert toy.chunks() == []


def test_the_next_run_leaves_it_alone_and_the_alert_says_why(toy: Toy, chunk: Row):
    lose(toy, chunk)
    toy.claim("w2")
    toy.finish()
    toy.later(days=30)

    assert toy.begin(run="r2") == []
    alerts = toy.sql("select subject, message from headgate.v_alerts where resolved_at is null")
    assert [x["subject"] for x in alerts] == ["step a of plain"]
    assert "unknown whether it was sent: it hung" in alerts[0]["message"]


@pytest.mark.parametrize(
    ("fault", "requests", "is_repeated"),
    [
        ("provider", 1, False),  # no answer in time, a cut connection, a 500
        ("provider", 0, True),  # no connection
        ("item", 1, False),
        ("quota", 1, True),  # 429: not now
    ],
)
def test_a_call_without_a_clear_answer_is_not_repeated(
    toy: Toy, chunk: Row, fault: str, requests: int, is_repeated: bool
):
    toy.complete(chunk, "retry", fault=fault, requests=requests)

    assert [x["state"] for x in toy.chunks()] == (["parked"] if is_repeated else [])
    reasons = {x["reason"] for x in toy.details()}
    assert reasons == (set() if is_repeated else {UNKNOWN + "it went wrong"})
    assert due(toy) == (2 if is_repeated else 0)


def test_an_answer_that_costs_nothing_has_served_nothing(toy: Toy, chunk: Row):
    toy.complete(chunk, "retry", p_charged=[0, 0])

    assert [x["state"] for x in toy.chunks()] == ["parked"]
    toy.later(minutes=5)
    assert len(toy.claim("w2")) == 1


def retry(toy: Toy) -> int:
    """Retry failed jobs; return the number of jobs planned."""
    return int(toy.row("retry_failed", p_pipeline="plain", p_run_id="r1")["planned"])


@pytest.mark.parametrize("rule", ["once", "run"])
def test_a_round_takes_what_failed_and_what_was_requested_again(toy: Toy, chunk: Row, rule: str):
    toy.sql(DUE, rule=rule)
    first, second = chunk["asset_ids"]
    toy.complete(chunk, "failed", [first])
    toy.complete(chunk, "retry", [second], fault="provider")

    assert retry(toy) == 1
    (again,) = toy.claim("w2")
    assert again["asset_ids"] == [first]
    toy.complete(again, runner="w2")
    toy.call("reset_asset", p_asset_id=second)
    assert retry(toy) == 1
    assert toy.claim("w2")[0]["asset_ids"] == [second]


def test_a_step_that_is_run_again_as_a_whole_does_it_again(toy: Toy, chunk: Row):
    toy.complete(chunk, "retry", fault="provider")
    toy.sql("update headgate.process_executions set driver = 'headgate'")
    toy.call("rerun_step", p_pipeline="plain", p_run_id="r1", p_step="a")

    assert len(toy.claim("w2")[0]["asset_ids"]) == 2


@pytest.mark.parametrize("end", [lose, run_out])
def test_work_of_every_run_is_done_by_the_next_run(toy: Toy, end: Callable[[Toy, Row], None]):
    toy.tune(delivery="at_most_once")
    toy.sql(DUE, rule="run")
    toy.add(2)
    toy.begin()
    end(toy, toy.claim()[0])
    assert toy.claim("w2") == []
    toy.finish()

    toy.begin(run="r2")
    assert len(toy.claim("w2")[0]["asset_ids"]) == 2


def test_next_actions_explain_how_to_decide(toy: Toy, chunk: Row):
    toy.complete(chunk, "retry", fault="provider")
    toy.finish()
    (row,) = toy.call("next_actions", p_pipeline="plain", p_run_id="r1")

    assert row["found"] == "2 jobs whose call may have been made (it went wrong)"
    assert "headgate.reset_asset" in row["advice"] and "headgate.mark_step" in row["advice"]


def test_the_end_of_a_run_leaves_what_was_leased_undue(toy: Toy, chunk: Row):
    toy.finish()

    assert {x["reason"] for x in toy.details()} == {UNKNOWN + "the execution was finalized"}
    assert due(toy) == 0


def test_work_that_was_given_back_is_done_later(toy: Toy, chunk: Row):
    token = {"p_chunk_id": chunk["chunk_id"], "p_lease_no": chunk["lease_no"]}
    toy.complete(chunk, "unsent", chunk["asset_ids"][:1])
    assert due(toy) == 2
    lose(toy, {**chunk, **token})
    toy.claim("w2")
    assert due(toy) == 1


def test_other_operations_repeat_as_usual(toy: Toy):
    toy.add(2)
    toy.begin()
    (chunk,) = toy.claim()
    lose(toy, chunk)

    assert len(toy.claim("w2")) == 1

"""Completions of one step do not wait for each other, and each of their jobs counts once."""

from __future__ import annotations

from functools import partial

import pytest

from tests.db.conftest import Toys
from tests.db.together import meanwhile, waits
from tests.db.toy import Toy
from tests.plan import Row

MANY = 40
NOTED = "select count(*) from headgate.step_counts"


@pytest.fixture
def chunks(toys: Toys) -> list[Row]:
    """Chunks of one job each, all claimed."""
    toys.one.tune(chunk_size=1)
    toys.one.add(MANY)
    toys.one.begin()
    return toys.one.claim(chunks=MANY)


def complete(toys: Toys, caller: Toy, chunk: Row) -> bool:
    """Complete a chunk; return whether that has to wait for another session."""
    with meanwhile(partial(caller.complete, chunk), caller, toys.one) as answers:
        has_waited = waits(caller, toys.one, answers)
        if has_waited:
            caller.connection.cancel_safe()
    return has_waited


def note_last(toys: Toys, chunks: list[Row]) -> Toy:
    """Return a session that has counted a job of a step, beside its row, and has not committed."""
    holder, late = toys.another(autocommit=False), toys.another(autocommit=False)
    holder.complete(chunks[0])
    assert not complete(toys, late, chunks[1])
    holder.connection.commit()
    return late


def test_two_completions_of_a_step_do_not_wait_for_each_other(toys: Toys, chunks: list[Row]):
    holder = toys.another(autocommit=False)
    holder.complete(chunks[0])

    assert not complete(toys, toys.another(), chunks[1])
    assert not complete(toys, toys.another(), chunks[2])
    assert toys.one.step()["succeeded"] == 2
    holder.connection.commit()
    assert toys.one.step()["succeeded"] == 3


def test_the_next_completion_takes_the_counts_of_others_along(toys: Toys, chunks: list[Row]):
    note_last(toys, chunks).connection.commit()
    assert toys.one.scalar(NOTED) == 1

    toys.one.complete(chunks[2])
    assert toys.one.scalar(NOTED) == 0
    assert toys.one.step()["succeeded"] == 3


def test_of_the_last_completions_the_one_that_waits_ends_the_step(toys: Toys, chunks: list[Row]):
    for chunk in chunks[2:]:
        toys.one.complete(chunk)
    holder, last = toys.another(autocommit=False), toys.another()
    holder.complete(chunks[0])
    with meanwhile(partial(last.complete, chunks[1]), last, toys.one) as answers:
        assert waits(last, toys.one, answers)
        holder.connection.commit()

    assert toys.one.step()["status"] == "succeeded"
    assert toys.one.scalar(NOTED) == 0


def test_a_step_whose_last_job_was_counted_beside_it_ends_when_runs_are_advanced(
    toys: Toys, chunks: list[Row]
):
    late = note_last(toys, chunks)
    for chunk in chunks[2:]:
        toys.one.complete(chunk)
    late.connection.commit()
    step = toys.one.step()
    assert (step["status"], step["succeeded"]) == ("running", MANY)

    toys.one.advance()
    assert toys.one.step()["status"] == "succeeded"
    assert toys.one.scalar(NOTED) == 0


def test_a_heartbeat_wakes_the_runners_that_end_such_a_step(toys: Toys, chunks: list[Row]):
    late = note_last(toys, chunks)
    for chunk in chunks[2:]:
        toys.one.complete(chunk)
    listener = toys.another()
    listener.sql("listen headgate_jobs")
    late.connection.commit()
    toys.one.call("heartbeat", p_runner="w1", p_host="here", p_pid=1, p_version="")

    notices = listener.connection.notifies(timeout=60, stop_after=1)
    assert [x.channel for x in notices] == ["headgate_jobs"]


@pytest.mark.parametrize("end", ["cancel_execution", "finalize_execution"])
def test_a_run_that_ends_takes_in_what_was_counted_beside_its_steps(
    toys: Toys, chunks: list[Row], end: str
):
    note_last(toys, chunks).connection.commit()
    toys.one.call(end, p_pipeline="plain", p_run_id="r1")

    assert toys.one.scalar(NOTED) == 0
    assert toys.one.step()["succeeded"] == 2


def test_a_step_that_was_marked_meanwhile_has_all_counts_at_last(toys: Toys, chunks: list[Row]):
    late = note_last(toys, chunks)
    with meanwhile(
        partial(
            toys.one.call,
            "mark_step",
            p_pipeline="plain",
            p_run_id="r1",
            p_step="a",
            p_status="failed",
        ),
        toys.one,
        toys.another(),
    ):
        late.connection.commit()
    toys.one.advance()

    assert toys.one.scalar(NOTED) == 0
    assert toys.one.step()["succeeded"] == 2

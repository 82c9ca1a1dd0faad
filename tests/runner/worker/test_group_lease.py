"""Answers for a whole group are completed in the order of sessions, up to the first that failed."""

from __future__ import annotations

from typing import Any

import pytest

from headgate.worker.group_lease import MAX_AHEAD, GroupLease
from tests.runner.worker.parts import FAULT, chunk_of, lease_of, reply


@pytest.fixture
def held():
    """Lease three sessions of two assets, with all calls started."""
    urls = [f"http://127.0.0.1:9/api/day{n}" for n in range(3)]
    lease = lease_of(chunk_of(2, urls=urls, call={"serves_all": True}), GroupLease)
    assert isinstance(lease, GroupLease)
    tasks: Any = dict.fromkeys(range(3))
    lease.next, lease.open = 3, tasks
    return lease


def answer(held, index, came):
    """Record the end of a call as the call executor does."""
    del held.open[index]
    held.record(index, came, now=1.0)


def test_an_answer_waits_for_the_one_before_it(held):
    answer(held, 1, reply(payload=b"second"))
    assert not held.has_report and held.has_sent

    answer(held, 0, reply(payload=b"first"))
    assert held.take_report().payloads == [b"first", b"second"]
    answer(held, 2, reply(payload=b"third"))
    assert held.take_report().payloads == [b"third"]
    assert held.is_ended and held.take_report().outcome == "success"


def test_a_call_that_fails_ends_the_chunk_after_what_came_before_it(held):
    answer(held, 1, reply(FAULT))
    assert held.must_stop
    answer(held, 0, reply(payload=b"first"))
    answer(held, 2, reply(payload=b"third"))

    assert held.take_report().payloads == [b"first"]
    end = held.take_report()
    assert (end.outcome, end.error, end.payloads) == ("retry", "it is down", [])
    assert end.requests == 2, "also the dropped answer was charged"


def test_sessions_that_were_never_requested_are_unsent(held):
    held.next, held.open = 1, {0: None}
    answer(held, 0, reply(payload=b"first"))

    assert held.give_up("the provider is blocked", now=2.0) == 2
    assert held.take_report().payloads == [b"first"]
    end = held.take_report()
    assert (end.outcome, end.error) == ("unsent", "the provider is blocked")


def test_answers_that_the_database_rejects_end_the_chunk(held):
    answer(held, 0, reply(payload=b"first"))
    held.open.clear()
    taken = held.take_report()
    held.refuse(taken, "no such column")
    held.give_up("it was refused", now=2.0)

    end = held.take_report()
    assert (end.outcome, end.error, end.requests) == ("deferred", "no such column", 1)


def test_no_call_runs_far_ahead_of_an_answer_that_has_not_come():
    urls = [f"http://127.0.0.1:9/api/day{n}" for n in range(20)]
    held = lease_of(chunk_of(2, urls=urls, call={"serves_all": True}), GroupLease)
    held.next, held.open = MAX_AHEAD, dict.fromkeys(range(MAX_AHEAD))
    assert not held.may_start(0.0)

    answer(held, 0, reply())
    assert held.may_start(0.0)

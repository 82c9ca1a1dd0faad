"""A lease knows which jobs may start, which must be completed, and which were never sent."""

from __future__ import annotations

from headgate.worker import leases
from headgate.worker.leases import SLICE_JOBS
from tests.runner.worker.parts import GONE, chunk_of, lease_of, reply


def test_a_lease_is_extended_at_a_third_of_its_time_and_starts_nothing_near_its_end():
    held = lease_of(chunk_of(), at=100.0)

    assert (held.beat_at, held.lease_ends) == (120.0, 160.0)
    assert held.may_start(149.0) and not held.may_start(151.0)
    held.extended(140.0, 60.0)
    assert held.may_start(151.0)


def test_a_probe_goes_alone_until_it_is_answered():
    held = lease_of(chunk_of(call={"probe": True}))

    assert held.may_start(0.0)
    held.next = 1
    assert not held.may_start(0.0)
    held.is_probing = False
    assert held.may_start(0.0)


def test_all_calls_can_use_a_time_to_start_but_a_probe_s_only_the_first():
    schedule = {"asked_at": 0.0, "start_in": 0.0, "every": 1.0, "burst": 1, "starts": 1}
    assert lease_of(chunk_of(2)).paced == 0, "its provider has no limit"
    assert lease_of(chunk_of(2, call={"schedule": schedule, "cache": True})).paced == 0
    held = lease_of(chunk_of(2, call={"schedule": schedule, "probe": True}))

    assert held.paced == 1
    held.next = 1
    assert held.paced == 0
    held.is_probing = False
    assert held.paced == 1


def test_unstarted_calls_are_reported_as_unsent():
    held = lease_of(chunk_of(3))
    held.next = 1
    held.record(0, reply(), now=1.0)

    assert held.give_up("the provider is blocked", now=2.0) == 2
    assert held.is_ended and held.oldest_at == 1.0
    report = held.take_report()
    assert report.outcomes == ["success", "unsent", "unsent"]
    assert report.requests == [1, 0, 0]
    assert not held.has_report


def test_an_answer_that_is_not_a_success_says_why_and_has_no_payload():
    held = lease_of(chunk_of(1))
    held.next = 1
    held.record(0, reply(GONE), now=1.0)

    report = held.take_report()
    assert (report.outcomes, report.errors, report.payloads) == (
        ["failed"],
        ["no such thing"],
        [None],
    )


def test_a_slice_is_due_when_there_is_enough_of_it(monkeypatch):
    held = lease_of(chunk_of(SLICE_JOBS + 1))
    held.next = SLICE_JOBS
    for index in range(SLICE_JOBS - 1):
        held.record(index, reply(), now=0.0)
    assert not held.is_slice_due
    held.record(SLICE_JOBS - 1, reply(), now=0.0)
    assert held.is_slice_due

    monkeypatch.setattr(leases, "SLICE_BYTES", 10)
    held = lease_of(chunk_of(3))
    held.record(0, reply(payload=b"x" * 10), now=0.0)
    assert held.is_slice_due
    held.is_settling = True
    assert not held.may_start(0.0), "what is held is bounded while it is handed in"


def test_discarding_returns_the_size():
    held = lease_of(chunk_of(2))
    held.record(0, reply(payload=b"12345"), now=0.0)

    assert held.discard() == 5
    assert not held.has_report

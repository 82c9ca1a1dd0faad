"""Counts of an execution for viewers: equal to its status, but without side effects such as notifications."""

from __future__ import annotations

from tests.db.toy import Toy


def test_the_counts_are_those_of_the_execution_status(toy: Toy):
    toy.add(12)
    toy.begin()
    toy.complete(toy.claim()[0])

    counts = toy.row("execution_counts", p_pipeline="plain", p_run_id="r1")
    assert counts == toy.execution()
    assert (counts["planned"], counts["queued"], counts["succeeded"]) == (12, 2, 10)


def test_asking_sends_nothing_and_a_reader_may(toy: Toy):
    toy.add(1)
    toy.begin()
    toy.complete(toy.claim()[0], "retry", fault="provider")
    toy.later(minutes=10)
    toy.connection.execute("set local role headgate_reader")
    counts = toy.row("execution_counts", p_pipeline="plain", p_run_id="r1")
    toy.connection.execute("reset role")

    assert (counts["parked"], len(toy.chunks("parked"))) == (1, 1)


def test_an_unknown_run_is_refused(toy: Toy):
    with toy.refused("HG002", "nothing"):
        toy.call("execution_counts", p_pipeline="plain", p_run_id="nothing")

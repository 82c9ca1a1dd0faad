"""What a runner knows of a provider: who starts next, and what is closed until the database says else."""

from __future__ import annotations

from headgate.worker.gates import Gate, Gates
from headgate.worker.rules import Closing
from tests.runner.worker.parts import chunk_of, lease_of

SOON = Closing("retry_after", 10.0, "slow down")


def test_a_provider_has_one_gate_and_takes_its_turn():
    gates = Gates()
    first, second = gates.of("shop"), gates.of("bank")
    first.load, second.load = 3, 4

    assert gates.of("shop") is first
    assert [gate.provider for gate in gates] == ["shop", "bank"]
    assert gates.load == 7


def test_no_more_calls_start_than_the_provider_allows():
    gate = Gate("shop", in_flight=2)
    gate.queue.append(held := lease_of(chunk_of()))

    assert gate.next_call(0.0) is held
    gate.open = 2
    assert gate.next_call(0.0) is None


def test_a_chunk_whose_calls_have_all_started_leaves_the_queue():
    gate, done, other = Gate("shop"), lease_of(chunk_of(1)), lease_of(chunk_of(1, chunk_id=2))
    gate.queue.extend([done, other])
    done.next = 1

    assert gate.next_call(0.0) is other
    assert list(gate.queue) == [other]


def test_a_closing_holds_until_a_claim_that_was_made_after_it_was_told():
    gate, chunk = Gate("shop"), chunk_of()
    gate.close(chunk, SOON, now=100.0)
    assert gate.is_telling()
    assert gate.closing_for(chunk, 104.0) == Closing("retry_after", 6.0, "slow down")

    gate.told(chunk, now=105.0)
    gate.reopen(chunk, claimed_at=104.0)
    assert gate.closing_for(chunk, 106.0) is not None

    gate.reopen(chunk, claimed_at=105.5)
    assert gate.closing_for(chunk, 106.0) is None


def test_a_closed_execution_closes_no_other():
    gate = Gate("shop")
    gate.close(chunk_of(), Closing("execution", None, "refused"), now=1.0)

    assert gate.closing_for(chunk_of(), 2.0) is not None
    assert gate.closing_for(chunk_of(run_id="r2"), 2.0) is None
    assert not gate.is_telling(), "the provider itself is open"

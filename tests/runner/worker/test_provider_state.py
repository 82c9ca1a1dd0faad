"""What a runner knows of a provider: who starts next, and what is closed until the database says else."""

from __future__ import annotations

from headgate.worker.provider_state import Gates, ProviderState
from headgate.worker.rules import Block
from tests.runner.worker.parts import chunk_of, lease_of

SOON = Block("retry_after", 10.0, "slow down")


def test_a_provider_has_one_gate_and_takes_its_turn():
    gates = Gates()
    first, second = gates.of("shop"), gates.of("bank")
    first.load, second.load = 3, 4

    assert gates.of("shop") is first
    assert [breaker.provider for breaker in gates] == ["shop", "bank"]
    assert gates.load == 7


def test_no_more_calls_start_than_the_provider_allows():
    breaker = ProviderState("shop", in_flight=2)
    breaker.queue.append(held := lease_of(chunk_of()))

    assert breaker.next_call(0.0) is held
    breaker.open = 2
    assert breaker.next_call(0.0) is None


def test_a_chunk_whose_calls_have_all_started_leaves_the_queue():
    breaker, done, other = (
        ProviderState("shop"),
        lease_of(chunk_of(1)),
        lease_of(chunk_of(1, chunk_id=2)),
    )
    breaker.queue.extend([done, other])
    done.next = 1

    assert breaker.next_call(0.0) is other
    assert list(breaker.queue) == [other]


def test_a_block_holds_until_a_claim_that_was_made_after_it_was_told():
    breaker, chunk = ProviderState("shop"), chunk_of()
    breaker.close(chunk, SOON, now=100.0)
    assert breaker.is_unreported()
    assert breaker.block_for(chunk, 104.0) == Block("retry_after", 6.0, "slow down")

    breaker.told(chunk, now=105.0)
    breaker.reopen(chunk, claimed_at=104.0)
    assert breaker.block_for(chunk, 106.0) is not None

    breaker.reopen(chunk, claimed_at=105.5)
    assert breaker.block_for(chunk, 106.0) is None


def test_a_closed_execution_closes_no_other():
    breaker = ProviderState("shop")
    breaker.close(chunk_of(), Block("execution", None, "refused"), now=1.0)

    assert breaker.block_for(chunk_of(), 2.0) is not None
    assert breaker.block_for(chunk_of(run_id="r2"), 2.0) is None
    assert not breaker.is_unreported(), "the provider itself is open"

"""A runner's knowledge of a provider: who starts next, and what is blocked until the database allows it."""

from __future__ import annotations

from headgate.worker.provider_state import Providers, ProviderState
from headgate.worker.rules import Block
from tests.runner.worker.parts import chunk_of, lease_of

SOON = Block("retry_after", 10.0, "slow down")


def test_a_provider_has_one_gate_and_takes_its_turn():
    providers = Providers()
    first, second = providers.of("shop"), providers.of("bank")
    first.load, second.load = 3, 4

    assert providers.of("shop") is first
    assert [breaker.provider for breaker in providers] == ["shop", "bank"]
    assert providers.load == 7


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


def test_an_answer_stops_the_calls_of_all_leases_until_it_is_handed_in():
    shop, asked, waiting = (
        ProviderState("shop"),
        lease_of(chunk_of(1)),
        lease_of(chunk_of(1, chunk_id=2)),
    )
    shop.queue.extend([asked, waiting])

    assert shop.stop(asked, SOON, now=100.0) == [asked, waiting]
    assert shop.is_stopped()
    late = lease_of(chunk_of(1, chunk_id=3))
    assert shop.stop_at_once(late, now=104.0)
    assert late.block == Block("retry_after", 6.0, "slow down")

    for held in (asked, waiting, late):
        shop.handed_in(held)
    assert not shop.is_stopped()
    assert not shop.stop_at_once(lease_of(chunk_of(1, chunk_id=4)), now=105.0)


def test_a_refused_execution_stops_no_other():
    shop, asked, other = (
        ProviderState("shop"),
        lease_of(chunk_of(1)),
        lease_of(chunk_of(1, chunk_id=2, run_id="r2")),
    )
    shop.queue.extend([asked, other])

    assert shop.stop(asked, Block("execution", None, "refused"), now=1.0) == [asked]
    assert not shop.is_stopped(), "the provider itself is open"
    assert not shop.stop_at_once(lease_of(chunk_of(1, chunk_id=3, run_id="r2")), now=2.0)
    assert shop.stop_at_once(lease_of(chunk_of(1, chunk_id=4)), now=2.0)

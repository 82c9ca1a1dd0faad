"""The producer claims enough chunks that calls never run dry, and no more than a claim may return."""

from __future__ import annotations

import asyncio

import pytest

from headgate.handlers.pool import Pool
from headgate.worker.provider_state import MAX_CHUNKS
from headgate.worker.worker import Worker
from tests.runner.worker.parts import chunk_of


@pytest.fixture
async def producer(core_database):
    """Make a worker for ten calls at once that has not started."""
    worker = Worker(core_database, 10, None, "me", Pool(2))
    yield worker._producer
    await worker._caller.aclose()


async def test_a_claim_asks_for_the_room_that_is_left(producer):
    assert producer._wanted(20) == 2, "it has seen no chunk yet: each may have ten calls"
    producer._learn_size(1)
    assert producer._wanted(20) > 2
    for _ in range(50):
        producer._learn_size(1)
    assert producer._wanted(10_000) == MAX_CHUNKS
    assert producer._wanted(0) == 0


async def test_nothing_is_claimed_with_a_completion_once_it_stops(producer):
    chunk = chunk_of()
    assert producer.wanted_after(chunk) > 0

    producer.stop()

    assert producer.wanted_after(chunk) == 0
    await asyncio.wait_for(producer.feed(), 5)


async def test_a_provider_with_enough_to_do_is_avoided(producer):
    breaker = producer._providers.of("shop")
    assert producer.avoided() == []

    breaker.in_flight, breaker.load = 2, 4
    assert producer.avoided() == ["shop"]
    breaker.load = 3
    producer.note_room()
    assert producer.wake.is_set()
    assert producer.avoided() == []


async def test_a_chunk_that_cannot_be_called_is_deferred_with_the_reason(producer, monkeypatch):
    ended = []
    monkeypatch.setattr(producer._completer, "end", lambda chunk, report: ended.append(report))

    producer._take_safely(chunk_of(call={"base_url": None}), 0.0)

    (report,) = ended
    assert (report.outcome, report.asset_ids) == ("deferred", [1, 2, 3])
    assert "no base URL" in report.error

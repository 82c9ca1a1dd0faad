"""The buffer for answers is bounded and fair, and never deadlocks."""

from __future__ import annotations

import asyncio
import gc

from hypothesis import given, settings
from hypothesis import strategies as st

from headgate.worker.buffer import Buffer, Share
from tests.limits import PATIENCE


async def settle() -> None:
    """Let all tasks continue that can."""
    for _ in range(5):
        await asyncio.sleep(0)


def waiting(share: Share, count: int) -> asyncio.Task[None]:
    """Start waiting for room."""
    assert not share.take(count)
    return asyncio.ensure_future(share.wait(count))


async def test_half_of_it_is_shared_and_the_rest_is_for_one_alone():
    buffer = Buffer(100)
    first, second, third = (Share(buffer) for _ in range(3))

    assert first.take(30) and second.take(20)
    assert third.take(1), "it goes on alone, in the other half"
    assert third.take(49)
    later = waiting(first, 1)
    await settle()
    assert not later.done()
    third.close()
    await later
    assert (first.size, buffer.taken) == (31, 51)


async def test_waiting_calls_are_served_in_order():
    buffer = Buffer(100)
    shares = [Share(buffer) for _ in range(6)]
    assert shares[0].take(50) and shares[1].take(50)
    order: list[asyncio.Task[None]] = []
    tasks = [waiting(shares[n], 10) for n in (2, 3, 4)]
    for task in tasks:
        task.add_done_callback(order.append)

    assert not shares[5].take(1), "a newcomer does not push in"
    shares[0].close()
    shares[1].close()
    await asyncio.gather(*tasks)
    assert order == tasks


async def test_a_cancelled_wait_blocks_no_other():
    buffer = Buffer(100)
    full, alone, impatient, patient = (Share(buffer) for _ in range(4))
    assert full.take(50) and alone.take(10)
    first, second = waiting(impatient, 40), waiting(patient, 10)
    await settle()

    first.cancel()
    await settle()
    assert (first.cancelled(), second.done()) == (True, False)
    full.close()
    await second
    assert buffer.taken == 20


async def test_a_kept_answer_counts_until_nobody_holds_it():
    buffer = Buffer(20_000)
    kept = [buffer.keep(b"x" * 9_000)]
    other = Share(buffer)
    assert other.take(500)
    more = buffer.keep(b"y" * 9_000)
    late = waiting(Share(buffer), 5_000)
    await settle()

    assert bytes(kept[0]) == b"x" * 9_000
    assert not late.done(), "there is less left than it needs"
    del more
    gc.collect()
    await late
    kept.clear()
    gc.collect()
    assert buffer.taken == 5_500


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.lists(st.integers(1, 20), max_size=8).filter(lambda x: sum(x) <= 50), max_size=20),
    st.integers(0, 3),
)
def test_everybody_comes_to_an_end_within_the_bound(calls, kept_rounds):
    asyncio.run(all_end(calls, kept_rounds))


async def all_end(calls: list[list[int]], kept_rounds: int) -> None:
    """Read answers in pieces, some of them kept for a while, in a buffer of a hundred bytes."""
    buffer, most = Buffer(100), 0

    async def read(pieces: list[int]) -> None:
        nonlocal most
        share = Share(buffer)
        try:
            for count in pieces:
                if not share.take(count):
                    await share.wait(count)
                most = max(most, buffer.taken)
                await asyncio.sleep(0)
        finally:
            kept = Share(buffer)
            kept.grow(share.size)
            share.close()
        for _ in range(kept_rounds):
            await asyncio.sleep(0)
        kept.close()

    async with asyncio.timeout(PATIENCE):
        await asyncio.gather(*map(read, calls))
    assert most <= 100
    assert buffer.taken == 0
    assert Share(buffer).take(100), "nobody is left waiting"

"""Handler chunks are claimed as processes are free."""

from __future__ import annotations

from headgate.handlers.pool import Pool
from headgate.worker.handler_executor import PER_PROCESS
from headgate.worker.provider_state import ProviderState
from headgate.worker.worker import Worker


async def test_there_is_room_for_so_many_chunks_a_process(core_database):
    worker = Worker(core_database, 10, None, "me", Pool(3))
    breaker = ProviderState("local", handlings=4)

    assert worker._handler_executor.most == PER_PROCESS * 3
    assert worker._handler_executor.room(breaker) == 2
    breaker.handlings = 9
    assert worker._handler_executor.room(breaker) == 0
    await worker._caller.aclose()

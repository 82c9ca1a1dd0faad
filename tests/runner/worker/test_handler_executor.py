"""Handler chunks are claimed as processes are free, and faulty data is found."""

from __future__ import annotations

from headgate.handlers.pool import Pool
from headgate.handlers.pool_messages import Done, Job
from headgate.worker.chunks import Handling
from headgate.worker.handler_executor import PER_PROCESS, _report
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


def test_a_report_shares_the_time_among_its_jobs():
    done = Done([Job(1, "success", None), Job(2, "failed", "it broke")], seconds=0.5)

    report = _report(done, None)

    assert (report.asset_ids, report.outcomes) == ([1, 2], ["success", "failed"])
    assert (report.durations_ms, report.errors) == ([250, 250], [None, "it broke"])
    assert report.rows is None


def test_rows_without_a_type_go_nowhere():
    row = {
        "context": {},
        "codes": [],
        "watermarks": [],
        "timeout_seconds": 1,
        "max_memory": 1,
        "environment": [],
    }
    done = Done([Job(1, "success", None)], b"rows", [1])

    assert _report(done, Handling.from_row(row)).rows is None

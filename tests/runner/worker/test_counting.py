"""A runner counts what pages and metrics show, over a connection of its own."""

from __future__ import annotations

import asyncio

from headgate.database import aconnect
from headgate.worker import heartbeat
from headgate.worker.counting import keep_counts
from headgate.worker.queue import Queue
from tests.limits import until

COUNTED = "select from headgate.count_times where counted_at is not null"
OLD = """
    insert into headgate.process_executions (pipeline_id, run_id, driver, status, started_at, finished_at)
    select p.pipeline_id, 'old', 'headgate', 'succeeded', '2001-01-01', '2001-01-01'
    from headgate.pipelines as p
    order by p.pipeline_id
    limit 1
"""
OLD_RUNS = "select from headgate.process_executions where run_id = 'old'"


async def test_a_heartbeat_leads_to_a_count_and_forgets_old_runs_and_an_error_is_reported(
    connections, core_database, core_plan, caplog
):
    core_plan.sql(OLD)

    async def connect() -> Queue:
        return Queue(await aconnect(core_database, "counts"), "me")

    is_due = asyncio.Event()
    counting = asyncio.create_task(keep_counts(connect, is_due))
    beating = asyncio.create_task(heartbeat.beat(connections, counts_due=is_due))
    await until(lambda: core_plan.sql(COUNTED))
    await until(lambda: not core_plan.sql(OLD_RUNS))
    await until(
        lambda: (
            not core_plan.sql("select from pg_stat_activity where application_name like '%counts%'")
        )
    )

    core_plan.sql("drop function headgate.keep_counts")
    is_due.set()
    await until(lambda: "nothing is counted" in caplog.text)
    assert not counting.done()
    for task in (beating, counting):
        task.cancel()
    await asyncio.gather(beating, counting, return_exceptions=True)

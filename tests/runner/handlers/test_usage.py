"""A handler's peak memory and processor time are kept with its jobs."""

from __future__ import annotations

from tests.runner.handlers.compute_plan import start, write_plan

SAMPLES = "tests.runner.handlers.samples"
FOUND = """
select o.name as operation, count(*) as jobs, min(h.peak_memory) as peak, sum(h.cpu_ms) as cpu
from headgate.v_asset_processing_history as h
join headgate.operations as o on o.name = h.operation
group by o.name
"""


async def test_memory_and_time_are_kept_with_the_jobs(plan, run):
    write_plan(plan, f"{SAMPLES}:toils", assets=2, chunk_size=2)
    start(plan)
    await run()

    (row,) = plan.sql(FOUND)
    assert row["jobs"] == 2
    assert row["peak"] > 150 * 2**20, "the handler held 150 MB"
    assert row["cpu"] >= 200, "it worked for 200 ms"


async def test_the_peak_is_that_of_the_chunk_and_not_of_one_before_it_in_the_same_process(
    plan, run
):
    write_plan(plan, f"{SAMPLES}:toils_for_the_first", assets=2, chunk_size=1)
    start(plan)
    await run()

    first, second = plan.sql(
        "select h.asset, h.peak_memory as peak, h.cpu_ms as cpu"
        " from headgate.v_asset_processing_history as h order by h.asset"
    )
    assert first["peak"] > 150 * 2**20 > second["peak"] > 0
    assert first["cpu"] > second["cpu"] >= 0

"""A handler's outputs reach the run's document like outputs of answers."""

from __future__ import annotations

from typing import Any

import pytest

from tests.plan import Plan
from tests.runner.handlers.compute_plan import ends, start, status, write_plan

SAMPLES = "tests.runner.handlers.samples"
BARE: dict[str, Any] = {"ingest_function": None, "input_function": None, "max_attempts": 1}


def output(plan: Plan) -> Any:
    return plan.scalar("select headgate.step_output('compute', 'r1', 'all')")


async def test_an_output_is_kept_by_asset_beside_the_rows(plan, run):
    write_plan(plan, f"{SAMPLES}:puts_out", assets=2, bars=5)
    start(plan)

    await run()

    assert output(plan) == {"P0": {"bars": 5, "code": "P0"}, "P1": {"bars": 5, "code": "P1"}}
    assert plan.scalar("select count(*) from public.means") == 2


async def test_the_output_of_a_single_asset_is_the_step_s(plan, run):
    write_plan(plan, f"{SAMPLES}:puts_out_alone", assets=1, **BARE)
    start(plan)

    await run()

    assert status(plan)["status"] == "succeeded"
    assert output(plan) == [1, None, "é"]


@pytest.mark.parametrize(
    ("handler", "said"),
    [
        ("puts_out_no_json", "is not JSON: it holds set"),
        ("puts_out_nan", "is not JSON: Out of range float values"),
        ("puts_out_nul", "holds a NUL character"),
        ("puts_out_of_another", "an output of no asset of the chunk: -1"),
    ],
)
async def test_an_invalid_output_is_the_plans_fault(plan, run, handler, said):
    write_plan(plan, f"{SAMPLES}:{handler}", assets=1, **BARE)
    start(plan)

    await run()

    (((outcome, reason),),) = ends(plan).values()
    assert outcome == "deferred"
    assert said in str(reason)
    assert output(plan) is None


async def test_an_output_that_is_too_large_fails_its_job(plan, run):
    write_plan(plan, f"{SAMPLES}:puts_out_too_much", assets=1, **BARE)
    start(plan)

    await run()

    assert ends(plan) == {"P0": {("failed", "its output has 2000002 bytes, and may have 1048576")}}
    assert output(plan) is None

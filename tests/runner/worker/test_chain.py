"""A chain of steps over services on 127.0.0.1: what ran, what failed, and how the run continues."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from headgate.worker.worker import work
from tests.adopt import adopt
from tests.limits import PATIENCE
from tests.runner.chain import (
    FUNCTIONS,
    PIPELINE,
    add_service,
    output,
    status,
    steps,
    write_chain,
)
from tests.runner.shop import cut, json_of, text_of, when

GREEN = {"fetch": "succeeded", "analyze": "succeeded", "write": "succeeded", "report": "succeeded"}
GONE = text_of("gone", status=404)


@pytest.fixture
def run(core_database, plan):
    """Start a run unless it exists, and work until it has ended; return its status."""

    async def work_off(run_id: str = "r1", *, goes_on: bool = False, **arguments: Any) -> str:
        if not goes_on:
            names = {"p_pipeline": PIPELINE, "p_run_id": run_id, "p_driver": "headgate"}
            plan.call("start_execution", **names, **arguments)

        async def has_ended() -> bool:
            return status(plan, run_id) != "running"

        async with asyncio.timeout(PATIENCE):
            await work(core_database, until=has_ended)
        return status(plan, run_id)

    return work_off


def names(run_id: str = "r1", **more: Any) -> dict[str, Any]:
    return {"p_pipeline": PIPELINE, "p_run_id": run_id, **more}


async def test_a_failed_step_does_not_vanish_after_five_runs(plan, shop, run):
    write_chain(plan, shop.url)
    shop.special["/api/analyze"] = GONE
    for n in range(5):
        assert await run(f"down{n}") == "failed"
    asked = len(shop.asked)

    assert await run("r1") == "failed"
    assert steps(plan) == {**GREEN, "analyze": "failed", "write": "skipped"}
    assert shop.paths()[asked:] == ["/api/fetch"]
    (deferral,) = plan.sql("select * from headgate.v_deferrals where run_id = 'r1'")
    assert (deferral["operation"], deferral["reason"], deferral["assets"]) == (
        "analyze",
        "failures",
        1,
    )
    assert "left out after 5 failures in a row" in deferral["meaning"]

    del shop.special["/api/analyze"]  # the service is up again
    assert await run("r2") == "failed"  # but nobody has asked for a retry yet
    assert plan.row("retry_failed", **names("r2"))["planned"] == 1
    assert await run("r2", goes_on=True) == "succeeded"
    assert steps(plan, "r2") == GREEN
    assert await run("r3") == "succeeded"
    assert steps(plan, "r3") == GREEN


async def test_a_retry_runs_what_was_skipped_because_of_the_failure(plan, shop, run):
    write_chain(plan, shop.url)
    shop.special["/api/fetch"] = GONE
    assert await run() == "failed"
    assert steps(plan) == {**GREEN, "fetch": "failed", "analyze": "skipped", "write": "skipped"}

    del shop.special["/api/fetch"]
    plan.call("retry_failed", **names())
    assert await run(goes_on=True) == "succeeded"
    assert steps(plan) == GREEN
    assert shop.paths() == ["/api/fetch", "/api/fetch", "/api/analyze", "/api/write"]


async def test_an_operator_skips_a_step_of_the_chain_and_it_continues(plan, shop, run):
    write_chain(plan, shop.url)
    shop.special["/api/analyze"] = GONE
    assert await run() == "failed"

    plan.call("mark_step", **names(p_step="analyze", p_status="skipped"))
    assert await run(goes_on=True) == "succeeded"
    assert steps(plan) == {**GREEN, "analyze": "skipped"}
    assert shop.paths() == ["/api/fetch", "/api/analyze", "/api/write"]


async def test_a_tolerated_failure_is_reported_and_fails_nothing(plan, shop, run):
    write_chain(plan, shop.url)
    plan.sql(
        "update headgate.pipeline_steps set trigger_rule = 'all_done', may_fail = step = 'analyze'"
    )
    shop.special["/api/analyze"] = GONE

    assert await run() == "succeeded"
    assert steps(plan) == {**GREEN, "analyze": "failed"}
    assert output(plan, "report")["analyze"]["counts"]["failed"] == 1


async def test_a_function_s_report_fails_its_step_and_a_retry_calls_it_again(plan, shop, run):
    write_chain(plan, shop.url)
    plan.sql(
        FUNCTIONS.replace(
            "d.document -> 'steps'", """'{"status": "failed", "red": ["x"]}'::jsonb"""
        )
    )
    assert await run() == "failed"
    assert output(plan, "report") == {"status": "failed", "red": ["x"]}

    plan.sql(FUNCTIONS)
    assert plan.row("retry_failed", **names()) == {"planned": 0, "sent": 0, "reopened": 1}
    assert await run(goes_on=True) == "succeeded"
    assert output(plan, "report")["fetch"]["status"] == "succeeded"
    assert len(shop.asked) == 3  # and nothing else


async def test_a_cancelled_run_continues(plan, shop, run):
    write_chain(plan, shop.url)
    shop.special["/api/fetch"] = when(lambda: status(plan) == "cancelled")
    cancelling = asyncio.create_task(run())
    async with asyncio.timeout(PATIENCE):
        while not shop.asked:
            await asyncio.sleep(0.01)
    plan.call("cancel_execution", **names())
    assert await cancelling == "cancelled"
    assert steps(plan)["write"] == "cancelled"

    plan.call("retry_failed", **names())
    assert await run(goes_on=True) == "succeeded"
    assert steps(plan) == GREEN
    assert shop.paths() == ["/api/fetch", "/api/analyze", "/api/write"]


async def test_a_step_renamed_in_mid_run_ends_with_its_run(plan, shop, run):
    write_chain(plan, shop.url)

    async def rename(request):
        plan.sql("update headgate.pipeline_steps set step = 'judge' where step = 'analyze'")
        plan.sql("delete from headgate.pipeline_steps where step = 'write'")
        return await json_of("{}")(request)

    shop.special["/api/fetch"] = rename

    assert await run() == "succeeded"
    assert steps(plan) == GREEN


async def test_an_operation_that_changed_its_universe_calls_for_the_new_one_alone(plan, shop, run):
    write_chain(plan, shop.url, analyze={"body": {"model": "{asset.model?}"}})
    add_service(plan, "models", "analyze", model="new")
    plan.sql("update headgate.operations set universe = 'models' where name = 'analyze'")
    adopt(plan.connection)
    plan.sql("select headgate.check_plans()")
    bodies = remember(shop, "/api/analyze")

    assert await run() == "succeeded"
    assert bodies == [{"model": "new"}]


async def test_a_request_knows_its_run_and_its_fields_keep_their_types(plan, shop, run):
    headers = {"X-Run": "{run.id} of {run.date}", "X-Own": "{asset.lang?}"}
    body = {"total_records": "{asset.total}", "tags": "{asset.tags}", "at": "{run.logical_date}"}
    write_chain(plan, shop.url, fetch={"headers": headers, "body": body})
    add_service(plan, "fetch", total=2103, tags=["a", None])
    bodies = remember(shop, "/api/fetch")

    assert await run(p_logical_date="2024-03-01 21:30+00") == "succeeded"
    assert bodies == [{"total_records": 2103, "tags": ["a", None], "at": "2024-03-01T21:30:00Z"}]
    asked = shop.asked[0].headers
    assert (asked["X-Run"], "X-Own" in asked) == ("r1 of 2024-03-01", False)


async def test_a_call_that_may_have_been_served_is_sent_again_with_its_key(plan, shop, run):
    """The connection breaks after the request: the provider recognizes the second request by its key."""
    write_chain(
        plan,
        shop.url,
        fetch={"headers": {"Idempotency-Key": "{job.key}"}, "backoff": "10 milliseconds"},
    )
    answers = iter((cut, cut))

    async def answer(request):
        return await next(answers, json_of("{}"))(request)

    shop.special["/api/fetch"] = answer
    assert await run() == "succeeded"
    keys = [x.headers["Idempotency-Key"] for x in shop.asked if x.path == "/api/fetch"]
    assert len(keys) == 3 and len(set(keys)) == 1

    await run("r2")
    (other,) = [x.headers["Idempotency-Key"] for x in shop.asked if x.path == "/api/fetch"][3:]
    assert other not in keys


async def test_jobs_held_back_by_an_internal_fault_fail_their_step(plan, shop, run):
    """The ingest function cannot work: the answers are deferred, and that makes no run green."""
    write_chain(plan, shop.url)
    plan.sql("drop table public.answers")

    assert await run() == "failed"
    assert steps(plan)["fetch"] == "failed"
    (reason,) = [
        x["reason"] for x in plan.sql("select reason from headgate.asset_processing_details")
    ]
    assert reason.startswith("internal: ")


def remember(shop: Any, path: str) -> list[Any]:
    """Record the bodies sent to a path."""
    bodies: list[Any] = []

    async def keep(request):
        bodies.append(await request.json())
        return await json_of("{}")(request)

    shop.special[path] = keep
    return bodies

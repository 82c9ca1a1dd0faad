"""The recommender's runs while one of its services, or both, are down."""

from __future__ import annotations

import pytest

from headgate.demo.services import noblestride, running
from tests.acceptance.recommender.conftest import World

TRAINING = "recommender_training_pipeline"
INTEGRATION = "noblestride_integration_pipeline"


async def test_a_run_continues_without_the_recommenders_service_and_does_not_notify_it(
    world: World,
):
    world.fastapi.fail("status", status=503)

    run_id = await world.run(INTEGRATION)

    steps = world.steps(run_id)
    assert steps["check_services"] == "succeeded"
    assert steps["sync_fastapi"] == "skipped"
    assert world.posted() == []
    assert world.health(run_id) == {"fastapi": "unhealthy", "nodejs": "healthy"}
    report = world.plan.scalar("select report from recommender.reports")
    assert report["integration_status"]["fastapi_sync"] == "skipped"
    assert report["database_summary"]["table_details"]["users"] == 120


async def test_a_run_continues_without_the_backend(world: World):
    world.nodejs.fail("status", status=503)

    run_id = await world.run(INTEGRATION)

    assert set(world.steps(run_id).values()) == {"succeeded"}
    assert world.health(run_id) == {"fastapi": "healthy", "nodejs": "unhealthy"}
    assert len(world.posted()) == 1


async def test_a_run_fails_without_both_and_reports_that(world: World):
    world.fastapi.fail("cut")
    world.nodejs.fail("status", status=500)

    run_id = await world.run(INTEGRATION)

    steps = world.steps(run_id)
    assert steps["check_services"] == "failed"
    assert {steps[x] for x in ("list_tables", "extract_data", "sync_fastapi")} == {"skipped"}
    assert steps["generate_report"] == "succeeded"
    assert world.health(run_id) == {"fastapi": "unreachable", "nodejs": "unhealthy"}
    assert world.plan.scalar("select count(*) from recommender.table_counts") == 0


@pytest.mark.parametrize("kind", ["wrong_json", "text"])
async def test_an_answer_that_is_not_json_is_not_healthy(world: World, kind: str):
    world.fastapi.fail(kind)

    run_id = await world.run(INTEGRATION)

    assert world.steps(run_id)["sync_fastapi"] == "skipped"
    assert world.health(run_id) == {"fastapi": "unhealthy", "nodejs": "healthy"}


async def test_a_service_slower_than_its_time_limit_is_not_healthy(world: World):
    world.plan.sql(
        "update headgate.operations set timeout = '1 second'"
        " where name = 'noblestride_nodejs_health'"
    )
    world.nodejs.fail("slow", seconds=5.0)

    run_id = await world.run(INTEGRATION)

    assert world.steps(run_id)["sync_fastapi"] == "succeeded"
    assert world.health(run_id) == {"fastapi": "healthy", "nodejs": "unreachable"}


async def test_a_service_that_is_slow_within_its_time_limit_is_healthy(world: World):
    world.fastapi.fail("slow", seconds=1.0)

    run_id = await world.run(INTEGRATION)

    assert world.health(run_id)["fastapi"] == "healthy"


async def test_a_synchronization_that_is_refused_or_late_does_not_fail_the_run(world: World):
    with running([noblestride.fastapi(takes_syncs=False)]) as strict:
        url = strict["noblestride_fastapi"].url
        world.plan.call(
            "set_provider", p_provider="noblestride_fastapi", p_changes={"base_url": url}
        )
        run_id = await world.run(INTEGRATION)

    assert world.steps(run_id)["sync_fastapi"] == "failed"
    status = world.plan.scalar(
        "select status from headgate.v_recent_executions where run_id = %(r)s", r=run_id
    )
    assert status == "succeeded"
    report = world.plan.scalar("select report from recommender.reports")
    assert report["integration_status"]["fastapi_sync"] == "failed"


async def test_training_ends_before_it_begins_while_its_service_is_down(world: World):
    world.fastapi.fail("status", status=500)

    run_id = await world.run(TRAINING)

    steps = world.steps(run_id)
    assert steps["check_fastapi_health"] == "failed"
    assert steps["extract_data"] == "skipped"
    assert "500" in world.errors(run_id)[0]
    assert world.plan.scalar("select count(*) from recommender.deals") == 0


async def test_training_goes_on_when_its_service_is_well_at_the_second_look(world: World):
    world.fastapi.fail("status", status=500, times=1)
    world.plan.sql(
        "update headgate.pipeline_steps set retries = 2, retry_delay = '1 second'"
        " where step = 'check_fastapi_health'"
    )

    run_id = await world.run(TRAINING)

    assert set(world.steps(run_id).values()) == {"succeeded"}
    assert [x.status for x in world.fastapi.calls] == [500, 200, 200]


async def test_a_model_is_used_though_the_service_did_not_hear_of_it(world: World):
    world.plan.sql(
        "update headgate.operations set max_attempts = 1, max_wait = '1 second'"
        " where name = 'recommender_training_complete'"
    )
    health = world.fastapi.routes["GET", "/health"]

    def healthy_once(ask):
        world.fastapi.fail("status", status=500)
        return health(ask)

    world.fastapi.routes = {**world.fastapi.routes, ("GET", "/health"): healthy_once}

    run_id = await world.run(TRAINING)

    assert world.steps(run_id)["announce_model"] == "failed"
    assert world.model()["is_in_use"]
    status = world.plan.scalar(
        "select status from headgate.v_recent_executions where run_id = %(r)s", r=run_id
    )
    assert status == "succeeded"

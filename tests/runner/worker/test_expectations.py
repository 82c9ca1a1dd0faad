"""Expectations, through a service, a runner and the database."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from psycopg.types.json import Jsonb

from tests.plan import Plan
from tests.runner.shop import Shop, json_of, text_of
from tests.runner.small_plan import start, write_plan


def write(plan: Plan, shop: Shop, *rows: tuple[str, str, str], assets: int = 1) -> None:
    """Write a plan whose only operation has these expectations."""
    expectations = [dict(zip(("predicate", "verdict", "reason"), row, strict=True)) for row in rows]
    columns = {
        "expectations": Jsonb(expectations),
        "max_attempts": 30,
        "backoff": "10 ms",
        "backoff_max": "10 ms",
    }
    write_plan(plan, base_url=shop.url, assets=assets, operation_columns=columns)
    start(plan)


def jobs(plan: Plan) -> list[dict[str, Any]]:
    return plan.sql(
        "select status, verdict, reason, attempts from headgate.v_asset_processing_history"
        " order by asset"
    )


@pytest.mark.parametrize(
    ("value", "predicate"),
    [
        ("s€{v}en \" '\\ 😀", None),
        (7, None),
        (1e300, None),
        (12345678901234567890.5, None),
        (True, None),
        (None, "$.body.value == null"),
        ([1, "a", None], '$.body.value[1] == "a" && $.body.value.size() == 3'),
        ({"deals": [89]}, "$.body.value.deals[*] == 89"),
        ("x" * 1_000_000, None),
    ],
    ids=lambda x: str(x)[:20],
)
async def test_a_value_of_every_shape_is_compared_as_it_was_sent(
    plan, shop, run, value: Any, predicate: str | None
):
    shop.answer = json_of(json.dumps({"value": value}))
    expected = predicate or f"$.body.value == {json.dumps(value, ensure_ascii=False)}"
    write(plan, shop, (expected, "failed", "it is {body.value}"))

    await run()

    (job,) = jobs(plan)
    assert (job["status"], job["verdict"], job["reason"]) == ("success", None, None)


async def test_status_duration_and_headers_reach_the_predicates(plan, shop, run):
    shop.answer = json_of("{}", status=200, X_State="fine")
    seen = '$.status == 200 && $.duration_ms > 0 && $.duration_ms < 60000 && $.headers."x-state" == "fine"'
    write(plan, shop, (seen, "failed", "no"), ("$.duration_ms < 0", "degraded", "{duration_ms} ms"))

    await run()

    (job,) = jobs(plan)
    assert (job["status"], job["verdict"]) == ("success", "degraded")
    assert float(job["reason"].removesuffix(" ms")) > 0


async def test_text_is_a_string(plan, shop, run):
    shop.answer = text_of("pong: é")
    write(plan, shop, ('$.body starts with "pong"', "failed", "it says {body}"))

    await run()

    assert jobs(plan)[0]["status"] == "success"


async def test_a_service_that_starts_is_asked_until_it_is_ready(plan, shop, run):
    shop.answer = json_of('{"state": "starting"}')
    write(plan, shop, ('$.body.state == "ready"', "retry", "it is {body.state}"))

    async def get_ready() -> None:
        while len(shop.asked) < 3:
            await asyncio.sleep(0.01)
        shop.answer = json_of('{"state": "ready"}')

    await asyncio.gather(run(), get_ready())

    (job,) = jobs(plan)
    assert (job["status"], job["verdict"]) == ("success", None)
    assert job["attempts"] >= 4
    assert plan.scalar("select failures from headgate.breakers where provider_id is not null"
                       " order by provider_id desc limit 1") == 0  # fmt: skip


async def test_one_ill_service_of_many_fails_its_own_job_alone(plan, shop, run):
    shop.answer = json_of('{"state": "healthy"}')
    shop.special["/api/things/T1"] = json_of('{"state": "ill"}')
    write(
        plan, shop, ('$.body.state == "healthy"', "failed", "{asset.code}: {body.state}"), assets=3
    )

    await run()

    assert [(x["status"], x["reason"]) for x in jobs(plan)] == [
        ("success", None),
        ("failed", "T1: ill"),
        ("success", None),
    ]
    assert plan.scalar("select count(*) from public.answers") == 2

"""Request bodies written by a plan's function, through the database and a runner to a service."""

from __future__ import annotations

import json
from typing import Any

import pytest
from aiohttp import web

from tests.adopt import adopt
from tests.plan import Plan
from tests.runner.shop import Shop
from tests.runner.small_plan import start, status, write_plan

BODIES = """
    create function public.bodies(p_context jsonb, p_asset_ids bigint[])
    returns table (asset_id bigint, body jsonb) language {language} stable security definer
    set search_path = pg_catalog, pg_temp as $func$ {code} $func$
"""
SHAPES = [
    "s€{v}en {asset.code} \" '\\ \u2028 😀",
    7,
    0.1,
    -2.5e-7,
    12345678901234567890,
    True,
    None,
    [1, "a", None, []],
    {"deals": [89], "": {}},
    "x" * 1_000_000,
]


def write(plan: Plan, shop: Shop, code: str, language: str = "sql", assets: int = 1) -> list[bytes]:
    """Write a plan that posts bodies written by this code; return the list of posted bodies."""
    posted: list[bytes] = []

    async def hear(request: web.Request) -> web.Response:
        posted.append(await request.read())
        return web.json_response({})

    shop.answer = hear
    plan.sql(BODIES.format(language=language, code=code))
    columns = {"method": "POST", "body_function": "public.bodies", "max_attempts": 1}
    write_plan(plan, base_url=shop.url, assets=assets, operation_columns=columns)
    adopt(plan.connection)
    start(plan)
    return posted


def each(value: Any) -> str:
    text = json.dumps(value).replace("'", "''")
    return f"select u.asset_id, '{text}'::jsonb from unnest(p_asset_ids) as u (asset_id)"


@pytest.mark.parametrize("value", SHAPES, ids=lambda x: str(x)[:20])
async def test_a_body_of_every_shape_is_sent_as_it_was_written(plan, shop, run, value):
    posted = write(plan, shop, each(value))

    await run()

    assert [json.loads(x) for x in posted] == [value]
    assert shop.asked[0].headers["content-type"] == "application/json"
    assert status(plan)["status"] == "succeeded"


async def test_each_asset_gets_a_body_of_its_own(plan, shop, run):
    posted = write(plan, shop, "select id, to_jsonb(id) from unnest(p_asset_ids) as id", assets=5)

    await run()

    ids = [x["asset_id"] for x in plan.sql("select asset_id from headgate.assets order by 1")]
    assert sorted(json.loads(x) for x in posted) == ids


async def test_a_body_function_that_raises_defers_its_jobs_and_makes_no_call(plan, shop, run):
    write(plan, shop, "begin raise exception 'no more ink'; end", "plpgsql", assets=3)

    await run()

    jobs = plan.sql("select status, reason, attempts, units from headgate.asset_processing_details")
    assert (
        jobs
        == [
            {
                "status": "deferred",
                "reason": "internal: body function public.bodies: no more ink",
                "attempts": 0,
                "units": 0,
            }
        ]
        * 3
    )
    assert shop.asked == []
    assert status(plan)["status"] == "failed"
    assert [x["subject"] for x in plan.sql("select subject from headgate.v_alerts")] == [
        "step all of small_shop"
    ]
    assert plan.scalar("select count(*) from headgate.v_assets_needing_processing") == 3


async def test_an_asset_without_a_body_fails_alone(plan, shop, run):
    posted = write(plan, shop, "select p_asset_ids[1], '1'::jsonb", assets=2)

    await run()

    assert posted == [b"1"]
    (job,) = plan.sql("select error from headgate.asset_processing_details where status = 'failed'")
    assert job["error"] == "public.bodies wrote no body for T1"

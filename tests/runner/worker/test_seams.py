"""SQL renders and Python sends: values of every type, in every part of a request."""

from __future__ import annotations

import json
from typing import Any

import pytest
from aiohttp import web
from psycopg.types.json import Jsonb

from tests.plan import Plan
from tests.runner.shop import Shop
from tests.runner.small_plan import start, status, write_plan

SHAPES = [
    "s€{v}en {asset.code} \" '\\ \u2028 😀 &=?#%2F/",
    "",
    7,
    0.1,
    12345678901234567890,
    True,
    [1, "a", None, []],
    {"deals": [89], "": {}},
]
BIG = "ä" * 100_000


def name_of(value: Any) -> str:
    return str(value)[:12]


def write(plan: Plan, shop: Shop, value: Any, **templates: Any) -> list[Any]:
    """Write a plan whose only asset has the value; return the list of posted bodies."""
    told: list[Any] = []

    async def hear(request: web.Request) -> web.Response:
        told.append(await request.json())
        return web.json_response({})

    shop.answer = hear
    write_plan(plan, base_url=shop.url, assets=0, operation_columns={"method": "POST"})
    for name, template in templates.items():
        plan.sql(
            f"update headgate.operations set {name} = %(template)s where name = 'look_shop'",
            template=template,
        )
    asset = {"code": "T0", "group_key": "G", "attributes": {"x": value}}
    plan.call("upsert_assets", p_universe="shop", p_assets=Jsonb([asset]))
    start(plan)
    return told


def text_of(value: Any) -> str:
    """Return a value as PostgreSQL converts it to text."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


@pytest.mark.parametrize("value", [*SHAPES, BIG], ids=name_of)
async def test_a_body_has_an_attribute_with_its_type_and_in_a_text(plan, shop, run, value):
    body = {"list": ["{asset.x}"], "text": "<{asset.x}>", "{asset.x}": 1}
    told = write(plan, shop, value, body=body)

    await run()

    (said,) = told
    assert (said["list"], said["{asset.x}"]) == ([value], 1)
    if not isinstance(value, dict):  # jsonb orders an object's keys
        assert said["text"] == f"<{text_of(value)}>"


@pytest.mark.parametrize("value", SHAPES, ids=name_of)
async def test_a_query_has_an_attribute_as_text(plan, shop, run, value):
    write(plan, shop, value, query={"x": "{asset.x}", "more": "<{asset.x}>"}, body={})

    await run()

    (request,) = shop.asked
    if not isinstance(value, dict):
        assert request.query["x"] == text_of(value)
        assert request.query["more"] == f"<{text_of(value)}>"
    assert len(request.query) == 2


@pytest.mark.parametrize("value", [x for x in SHAPES if x != ""], ids=name_of)
async def test_a_path_has_an_attribute_as_one_segment(plan, shop, run, value):
    write(plan, shop, value, path="/things/{asset.x}/end", body={})

    await run()

    (request,) = shop.asked
    assert request.path.startswith("/api/things/") and request.path.endswith("/end")
    assert request.raw_path.count("/") == 4
    if not isinstance(value, dict):
        assert request.path == f"/api/things/{text_of(value)}/end"


@pytest.mark.parametrize(
    ("value", "is_sent"),
    [("plain", True), (7, True), ([1, "a"], True), ("é", False), ("a\nb", False)],
)
async def test_a_header_has_an_attribute_or_its_job_fails(plan, shop, run, value, is_sent):
    write(plan, shop, value, headers={"X-It": "{asset.x}"}, body={})

    await run()

    seen = [x.headers["x-it"] for x in shop.asked]
    assert seen == ([text_of(value)] if is_sent else [])
    assert status(plan)["succeeded"] == int(is_sent)


@pytest.mark.parametrize("field", ["{asset.x}", "<{asset.x}>"])
async def test_null_is_no_value_and_fails_its_job_unless_it_is_optional(plan, shop, run, field):
    told = write(plan, shop, None, body={"x": field})

    await run()

    assert told == []
    assert "asset.x" in plan.scalar("select error from headgate.asset_processing_details")


async def test_an_optional_null_is_null_in_a_body_and_left_out_of_a_query(plan, shop, run):
    told = write(plan, shop, None, body={"x": "{asset.x?}"}, query={"x": "{asset.x?}", "y": "1"})

    await run()

    assert told == [{"x": None}]
    assert dict(shop.asked[0].query) == {"y": "1"}

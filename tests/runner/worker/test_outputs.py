"""Values of answers from a service through runner and database into a later request."""

from __future__ import annotations

import json
from typing import Any

import pytest
from aiohttp import web

from headgate.worker.calls import Caller
from headgate.worker.chunks import Call
from tests.plan import Plan
from tests.runner.shop import Shop, json_of
from tests.runner.small_plan import OK, start, status, write_plan

SECRET = "a-long-enough-secret"


def write_chain(plan: Plan, url: str, body: Any, assets: int = 1, **more: Any) -> None:
    """Write a step `all` that makes calls and, after it, a step `tell` that posts their outputs."""
    columns = {"outputs": {"value": "$.body.value"}}
    write_plan(plan, base_url=url, assets=assets, operation_columns=columns, **more)
    plan.sql(
        "insert into headgate.operations (name, universe, provider_id, due_rule, method, path, body, timeout)"
        " select 'tell', universe, provider_id, due_rule, 'POST', '/tell', %(body)s, timeout"
        " from headgate.operations where name = 'look_shop'",
        body=body,
    )
    plan.sql(
        "insert into headgate.pipeline_steps (pipeline_id, step, position, kind, operations, depends_on)"
        " select pipeline_id, 'tell', 2, 'fan_out', '{tell}', '{all}' from headgate.pipelines"
        " where name = 'small_shop'"
    )
    plan.sql("select headgate.check_plans()")


def listening(shop: Shop) -> list[Any]:
    """Collect the posted bodies."""
    told: list[Any] = []

    async def hear(request: web.Request) -> web.Response:
        told.append(await request.json())
        return web.json_response({})

    shop.special["/api/tell"] = hear
    return told


def output(plan: Plan) -> Any:
    return plan.scalar("select headgate.step_output('small_shop', 'r1', 'all')")


@pytest.mark.parametrize("value", [7, 0.25, "se{v}en", {"deals": [89]}, [1, "a", None], True])
async def test_a_value_of_an_answer_goes_into_a_later_request_as_it_is(plan, shop, run, value):
    shop.answer = json_of(json.dumps({"value": value}))
    told = listening(shop)
    write_chain(plan, shop.url, {"value": "{steps.all.value}", "text": "<{steps.all.value}>"})
    start(plan)

    await run()

    text = value if isinstance(value, str) else json.dumps(value)
    assert told == [{"value": value, "text": f"<{text}>"}]
    assert status(plan)["status"] == "succeeded"


@pytest.mark.parametrize("answer", ["{}", '{"value": null}', "[1]"])
async def test_a_value_that_is_not_there_fails_its_job_before_it_is_called(plan, shop, run, answer):
    shop.answer = json_of(answer)
    told = listening(shop)
    write_chain(plan, shop.url, {"value": "{steps.all.value}"})
    start(plan)

    await run()

    assert told == []
    (job,) = plan.sql("select * from headgate.asset_processing_details where step = 'tell'")
    assert (job["status"], job["attempts"]) == ("failed", 0)
    assert "step all has no output for the template field {steps.all.value}" in job["error"]


async def test_an_optional_value_that_is_not_there_is_null(plan, shop, run):
    told = listening(shop)
    write_chain(plan, shop.url, {"value": "{steps.all.value?}"})
    start(plan)

    await run()

    assert told == [{"value": None}]


async def test_status_duration_headers_and_asset_are_of_the_answer(plan, shop, run):
    shop.answer = json_of("{}", X_At="noon")
    shop.special["/api/things/T1"] = json_of('{"no": "thing"}', status=404)
    outputs = {
        "status": "$.status", "ms": "$.duration_ms", "at": '$.headers."x-at"', "code": "$.asset.code",
    }  # fmt: skip
    write_plan(plan, base_url=shop.url, assets=2, operation_columns={"outputs": outputs})
    start(plan)

    await run()

    found = output(plan)
    assert all(x.pop("ms") > 0 for x in found.values())
    assert found == {
        "T0": {"status": 200, "at": "noon", "code": "T0"},
        "T1": {"status": 404, "at": None, "code": "T1"},
    }


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ('{"state": "ill", "since": ["ä"]}', {"state": "ill", "since": ["ä"]}),
        ("no such \0thing", "no such thing"),
        ("", ""),
        (f'"{SECRET}"', "[secret]"),
        ("x" * 200_000, "x" * 65_536),
    ],
    ids=["json", "text", "nothing", "secret", "large"],
)
async def test_the_body_of_a_refused_answer_may_be_kept(
    plan, shop, run, monkeypatch, text: str, kept: Any
):
    monkeypatch.setenv("SHOP_TOKEN", SECRET)
    shop.answer = json_of(text, status=404)
    write_plan(
        plan, base_url=shop.url, assets=1, auth={"in": "bearer"}, secret_name="SHOP_TOKEN",
        operation_columns={"outputs": {"status": "$.status", "body": "$.body"}},
    )  # fmt: skip
    start(plan)

    await run()

    assert output(plan) == {"status": 404, "body": kept}
    assert plan.scalar("select count(*) from public.answers") == 0


async def test_a_header_that_repeats_the_secret_is_kept_without_it(plan, shop, run, monkeypatch):
    monkeypatch.setenv("SHOP_TOKEN", SECRET)
    shop.answer = json_of("{}", X_You_Sent=f"Bearer {SECRET}")
    write_plan(
        plan, base_url=shop.url, assets=1, auth={"in": "bearer"}, secret_name="SHOP_TOKEN",
        operation_columns={"outputs": {"sent": '$.headers."x-you-sent"'}},
    )  # fmt: skip
    start(plan)

    await run()

    assert output(plan) == {"sent": "Bearer [secret]"}


async def test_an_answer_that_is_too_large_an_output_fails_its_job_alone(plan, shop, run):
    shop.answer = json_of('{"value": 1}')
    shop.special["/api/things/T1"] = json_of(json.dumps({"value": "x" * 1_048_577}))
    write_plan(
        plan, base_url=shop.url, assets=2, operation_columns={"outputs": {"value": "$.body.value"}}
    )
    start(plan)

    await run()

    assert output(plan) == {"T0": {"value": 1}}
    (job,) = plan.sql("select error from headgate.asset_processing_details where status = 'failed'")
    assert job["error"].endswith("and may have 1048576")
    assert plan.scalar("select count(*) from public.answers") == 1


@pytest.mark.parametrize(
    ("answers", "keys"), [("", None), ("status", {"status", "duration_ms"}),
                          ("headers", {"status", "duration_ms", "headers"})],
)  # fmt: skip
async def test_only_requested_parts_of_an_answer_are_reported(shop, answers, keys):
    shop.answer = json_of("{}", status=404)
    call = Call.from_row({"base_url": shop.url, "rules": [OK], "answers": answers})
    caller = Caller(1)
    reply = await caller.fetch(call, "/a")
    await caller.aclose()

    assert (reply.answer and json.loads(reply.answer).keys()) == keys

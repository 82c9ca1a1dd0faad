"""Answers from a service through a runner and the database to an ingest function."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from headgate.worker.worker import work
from tests.adopt import adopt
from tests.limits import PATIENCE
from tests.plan import Plan
from tests.runner.shop import json_of, text_of
from tests.runner.small_plan import start, status, write_plan

SECRET = "a-long-enough-secret"
TAKE = """
    create table public.taken (
        asset_id bigint, status integer, headers jsonb, body text, duration_ms numeric,
        request_count integer, from_cache boolean
    );
    create function public.take(
        p_context jsonb, p_asset_ids bigint[], p_answers headgate.answer[]
    )
    returns setof headgate.ingest_result language plpgsql security definer
    set search_path = pg_catalog, pg_temp as $func$
    begin
        insert into public.taken select a.* from unnest(p_answers) as a;
        return query select a.asset_id, 'success', 1, null::timestamptz, null::text
            from unnest(p_answers) as a;
    end;
    $func$;
"""


@pytest.fixture
def run(core_database, plan):
    """Let the plan's function take answers, and work until its run has ended."""

    async def has_ended() -> bool:
        return bool(status(plan)["status"] != "running")

    async def work_off() -> None:
        plan.sql(TAKE)
        plan.sql("update headgate.operations set ingest_function = 'public.take'")
        adopt(plan.connection)
        plan.call("check_plans")
        start(plan)
        async with asyncio.timeout(PATIENCE):
            await work(core_database, until=has_ended)

    return work_off


def taken(plan: Plan) -> list[dict[str, Any]]:
    return plan.sql("select * from public.taken order by asset_id")


@pytest.mark.parametrize(
    "value",
    ["s€{v}en \" '\\ 😀", 7, 1e300, True, None, [1, "a", None], {"deals": [89]}, "x" * 1_000_000],
    ids=lambda x: str(x)[:20],
)
async def test_a_body_of_every_shape_arrives_as_it_was_sent(plan, shop, run, value):
    text = json.dumps({"value": value}, ensure_ascii=False)
    shop.answer = json_of(text, X_At="noon")
    write_plan(plan, base_url=shop.url, assets=1)

    await run()

    (answer,) = taken(plan)
    assert answer["body"] == text
    assert (answer["status"], answer["request_count"], answer["from_cache"]) == (200, 1, False)
    assert answer["headers"]["x-at"] == "noon"
    assert answer["duration_ms"] > 0


async def test_text_arrives_as_text(plan, shop, run):
    shop.answer = text_of("pong: é")
    write_plan(plan, base_url=shop.url, assets=2)

    await run()

    assert [x["body"] for x in taken(plan)] == ["pong: é"] * 2


async def test_a_secret_that_is_sent_back_does_not_arrive(plan, shop, run, monkeypatch):
    monkeypatch.setenv("SHOP_TOKEN", SECRET)
    shop.answer = json_of("{}", X_You_Sent=f"Bearer {SECRET}")
    write_plan(plan, base_url=shop.url, assets=1, auth={"in": "bearer"}, secret_name="SHOP_TOKEN")

    await run()

    assert taken(plan)[0]["headers"]["x-you-sent"] == "Bearer [secret]"


async def test_an_answer_that_says_no_is_not_taken(plan, shop, run):
    shop.answer = json_of("{}")
    shop.special["/api/things/T1"] = json_of("{}", status=404)
    write_plan(plan, base_url=shop.url, assets=3)

    await run()

    assert len(taken(plan)) == 2

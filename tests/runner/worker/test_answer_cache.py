"""The answer cache through runners, a database and a service: which requests are made once, and for which jobs."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
from aiohttp import web

from headgate.worker.answer_cache import Shelf, keys_of
from headgate.worker.queue import LookedUp
from headgate.worker.worker import work
from tests.limits import PATIENCE, until
from tests.plan import Plan
from tests.runner.shop import json_of, never, when
from tests.runner.small_plan import start, status, write_plan
from tests.runner.worker.parts import chunk_of, lease_of

RATES = {"path": "/rates", "cache": "1 hour", "chunk_size": 2, "due_rule": "run", "units": 1}
ASKING = """
select split_part(c.runner, '-', -2)::integer
from headgate.fetches as f join headgate.chunks as c using (chunk_id)
"""
"""The process whose request is under way."""
LEASED_BY = "select chunk_id from headgate.chunks where state = 'leased' and runner like %(pid)s"
WAITING = "select count(*) > 0 from headgate.chunks where park_reason like 'an equal request%%'"


@pytest.fixture
def run(core_database, plan):
    """Start a run, and let two runners work until it has ended."""

    async def work_off(run_id: str, *providers: str) -> None:
        for provider in providers:
            start(plan, run_id, provider=provider)

        async def has_ended() -> bool:
            return all(status(plan, run_id, provider=x)["status"] != "running" for x in providers)

        async with asyncio.timeout(PATIENCE):
            await asyncio.gather(
                *(work(core_database, until=has_ended, runner=x) for x in ("one", "two"))
            )

    return work_off


def details(plan: Plan, run_id: str) -> list[dict[str, Any]]:
    return plan.sql(
        "select d.* from headgate.asset_processing_details as d"
        " join headgate.process_executions as e using (execution_id) where e.run_id = %(run_id)s"
        " order by d.from_cache",
        run_id=run_id,
    )


async def test_two_runners_make_equal_requests_once_and_hits_cost_nothing(plan, shop, run):
    shop.answer = when(lambda: plan.scalar(WAITING), json_of('{"rate": 7}'))
    write_plan(
        plan,
        base_url=shop.url,
        assets=20,
        operation_columns=RATES,
        provider_columns={"quota": 40, "requests_per_minute": 60},
    )

    await run("r1", "shop")

    assert shop.paths() == ["/api/rates"]
    fresh, *hits = details(plan, "r1")
    assert (fresh["from_cache"], fresh["units"], fresh["attempts"]) == (False, 1, 1)
    assert {(x["status"], x["from_cache"], x["units"], x["attempts"]) for x in hits} == {
        ("success", True, 0, 0)
    }
    assert plan.sql("select distinct payload from public.answers") == [{"payload": '{"rate": 7}'}]
    (window,) = plan.sql("select reserved, spent from headgate.quota_windows")
    assert window == {"reserved": 0, "spent": 1}
    (cache,) = plan.sql("select * from headgate.v_cache")
    assert (cache["hits"], cache["misses"]) == (19, 1)
    assert 1 <= cache["coalesced"] <= 19
    ahead = (
        "select bool_and(next_start_at < headgate.clock() + interval '5 s')"
        " from headgate.rate_limiters"
    )
    assert plan.scalar(ahead)

    await run("r2", "shop")
    assert len(shop.asked) == 1
    assert len(details(plan, "r2")) == 20


async def test_a_provider_with_another_secret_asks_for_itself(plan, shop, run, monkeypatch):
    for name in ("ONE", "TWO"):
        monkeypatch.setenv(name, f"{name.lower()}-has-this-long-secret")
        write_plan(
            plan,
            base_url=shop.url,
            provider=name.lower(),
            assets=3,
            auth={"in": "bearer"},
            secret_name=name,
            operation_columns=RATES,
        )

    await run("r1", "one", "two")

    assert sorted(x.headers["Authorization"] for x in shop.asked) == [
        "Bearer one-has-this-long-secret",
        "Bearer two-has-this-long-secret",
    ]
    kept = plan.scalar("select string_agg(c::text, ' ') from headgate.cached_answers as c")
    assert "long-secret" not in kept


async def test_after_a_runner_is_killed_in_mid_request_one_of_those_that_wait_makes_it_again(
    plan, shop, worker
):
    write_plan(
        plan,
        base_url=shop.url,
        assets=20,
        operation_columns=RATES | {"lease": "1 hour"},
        provider_columns={"quota": 100, "quota_buffer": 0},
    )
    shop.answer = never()
    start(plan)
    runners = {x.pid: x for x in (worker(), worker(), worker())}
    await until(lambda: shop.asked and plan.scalar(WAITING))

    shop.answer = json_of('{"rate": 7}')
    killed = plan.scalar(ASKING)
    runners[killed].kill()
    runners[killed].wait()
    plan.expire(*plan.sql(LEASED_BY, pid=f"%-{killed}-%"))
    await until(lambda: status(plan)["status"] != "running")

    assert status(plan)["succeeded"] == 20
    assert len(shop.asked) == 2
    (quota,) = plan.sql("select spent, reserved from headgate.v_quota where provider = 'shop'")
    assert quota["reserved"] == 0
    assert quota["spent"] >= 2, "and what the killed one had leased: nobody knows what it sent"
    hits = plan.sql("select hits, misses from headgate.v_cache where operation = 'look_shop'")
    assert hits == [{"hits": 19, "misses": 1}]


async def test_a_secret_that_is_replaced_is_not_served_the_answers_of_the_one_before(
    plan, shop, run, monkeypatch
):
    write_plan(
        plan,
        base_url=shop.url,
        assets=2,
        auth={"in": "bearer"},
        secret_name="SHOP",
        operation_columns=RATES,
    )
    for nth, secret in enumerate(("the-first-long-secret", "the-second-long-secret")):
        monkeypatch.setenv("SHOP", secret)
        await run(f"r{nth}", "shop")
        await run(f"r{nth}-again", "shop")

    assert [x.headers["Authorization"] for x in shop.asked] == [
        "Bearer the-first-long-secret",
        "Bearer the-second-long-secret",
    ]


async def test_an_older_answer_serves_again_if_the_provider_says_that_it_has_not_changed(
    plan, shop, run
):
    async def versioned(request: web.Request) -> web.StreamResponse:
        if request.headers.get("If-None-Match") == '"1"':
            return web.Response(status=304)
        return await json_of('{"rate": 7}', ETag='"1"')(request)

    shop.answer = versioned
    write_plan(plan, base_url=shop.url, assets=2, operation_columns=RATES | {"revalidate": True})
    await run("r1", "shop")
    plan.sql("update headgate.cached_answers set answered_at = answered_at - interval '2 hours'")

    await run("r2", "shop")

    assert len(shop.asked) == 2
    fresh, hit = details(plan, "r2")
    assert (fresh["status"], fresh["attempts"], fresh["from_cache"]) == ("success", 1, False)
    assert (hit["status"], hit["attempts"], hit["from_cache"]) == ("success", 0, True)
    payloads = plan.sql("select payload, count(*) as n from public.answers group by payload")
    assert payloads == [{"payload": '{"rate": 7}', "n": 4}]


async def test_without_the_database_s_look_up_requests_are_made(plan, shop, run, caplog):
    write_plan(plan, base_url=shop.url, assets=3, operation_columns=RATES)
    plan.sql(
        "revoke execute on function headgate.look_up_answers(text, bigint, integer, bigint[], text[],"
        " double precision[]) from headgate_runner"
    )

    with caplog.at_level(logging.ERROR):
        await run("r1", "shop")

    assert len(shop.asked) == 3
    assert "no answer could be looked up" in caplog.text


@pytest.mark.parametrize(
    ("change", "is_equal"),
    [
        ({}, True),
        ({"asset_ids": [9]}, True),
        ({"operation": "another"}, True),
        ({"headers": [{"If-None-Match": '"7"'}]}, True),
        ({"urls": ["/other"]}, False),
        ({"bodies": ["{}"]}, False),
        ({"headers": [{"Accept": "text/csv"}]}, False),
        ({"provider": "another"}, False),
        ({"call": {"method": "POST"}}, False),
        ({"call": {"headers": {"Accept": "text/csv"}}}, False),
        ({"call": {"parser": "csv"}}, False),
        ({"call": {"auth": {"in": "bearer", "secret": "ANOTHER"}}}, False),
    ],
    ids=str,
)
async def test_anything_that_changes_an_answer_changes_its_key(
    change: dict[str, Any], is_equal: bool
):
    keys = [keys_of(lease_of(chunk_of(1, **x)))[0] for x in ({}, change)]

    assert (keys[0] == keys[1]) is is_equal


def found(key: str, payload: str | None = None, at: float = 1.0) -> LookedUp:
    return LookedUp(key, "hit", at, None if payload is None else '{"status": 200}', payload)


def test_a_shelf_holds_so_many_bytes_and_drops_what_was_not_used_for_longest():
    shelf = Shelf(800)
    for key in "abc":
        shelf.take(found(key, "x" * 200))
    shelf.take(found("a"))
    shelf.take(found("d", "x" * 200))

    assert shelf.bytes <= 800
    assert [shelf.answered_at(x) for x in "abcd"] == [1.0, None, 1.0, 1.0]
    assert shelf.take(found("e", "x" * 2_000)) is not None
    assert shelf.answered_at("e") is None


def test_a_shelf_replaces_an_answer_by_a_newer_one():
    shelf = Shelf()
    shelf.take(found("a", "old"))
    assert shelf.take(found("a", at=2.0)) is None
    shelf.take(found("a", "new", at=2.0))

    reply = shelf.take(found("a", at=2.0))
    assert reply is not None and reply.payload == b"new" and reply.charged == 0
    assert len(shelf) == 1

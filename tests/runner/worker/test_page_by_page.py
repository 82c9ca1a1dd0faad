"""Pages through a service, runners and the database: after kills, none is missing and few are repeated."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from aiohttp import web

from headgate.worker.worker import work
from tests.limits import PATIENCE, until
from tests.plan import Plan
from tests.runner.shop import Shop, open_shop
from tests.runner.small_plan import start, status, write_plan

PAGES = 40
KILLED_AFTER = (3, 11, 27)
COLUMNS: dict[str, Any] = {"units": 1, "lease": "1 hour"}


@pytest.fixture
def plan(core_plan: Plan) -> Plan:
    return core_plan


@pytest.fixture
async def shop():
    async with open_shop() as opened:
        opened.answer = page_of(PAGES)
        yield opened


def page_of(count: int) -> Callable[[web.Request], Any]:
    """Answer with one of `pages` pages, a moment later."""

    async def answer(request: web.Request) -> web.Response:
        await asyncio.sleep(0.02)
        page = int(request.query.get("cursor", "1"))
        link = f'<{request.path}?cursor={page + 1}>; rel="next"' if page < count else ""
        return web.json_response(
            {"page": page, "next": page + 1 if page < count else None}, headers={"Link": link}
        )

    return answer


def has_asked(shop: Shop, count: int) -> bool:
    return len(shop.asked) >= count


def asked(shop: Shop) -> Counter[int]:
    return Counter(int(x.query.get("cursor", "1")) for x in shop.asked)


def kept(plan: Plan) -> list[int]:
    rows = plan.sql("select payload from public.answers order by at")
    return [json.loads(x["payload"])["page"] for x in rows]


def begin(plan: Plan, shop: Shop, next_page: str) -> None:
    """Start a run of one job with pages, for which there are 100 units."""
    quota = {"quota": 100, "quota_buffer": 0}
    write_plan(plan, base_url=shop.url, assets=1, operation_columns=COLUMNS, provider_columns=quota)
    plan.sql(
        """update headgate.operations
        set next_page = %(next_page)s, query = '{"cursor": "{page.cursor?}"}'""",
        next_page=next_page,
    )
    plan.call("check_plans")
    start(plan)


async def has_ended(plan: Plan) -> bool:
    return bool(status(plan)["status"] != "running")


@pytest.mark.parametrize("next_page", ["$.next", "link cursor"])
async def test_a_runner_asks_page_after_page(core_database, plan, shop, next_page):
    begin(plan, shop, next_page)
    async with asyncio.timeout(PATIENCE):
        await work(core_database, until=lambda: has_ended(plan))

    assert status(plan)["succeeded"] == 1
    assert kept(plan) == list(range(1, PAGES + 1))
    assert set(asked(shop).values()) == {1}


async def test_runners_killed_in_mid_page_leave_out_none_and_repeat_at_most_what_was_asked(
    plan, shop, worker
):
    begin(plan, shop, "$.next")
    for count in KILLED_AFTER:
        process = worker()
        await until(partial(has_asked, shop, count))
        process.kill()
        process.wait()
    worker()
    await until(lambda: status(plan)["status"] != "running")

    assert status(plan)["succeeded"] == 1
    assert kept(plan) == list(range(1, PAGES + 1)), "each page once, in order"
    calls = asked(shop)
    assert sorted(calls) == list(range(1, PAGES + 1))
    assert calls.total() <= PAGES + len(KILLED_AFTER)
    spent = plan.scalar("select spent from headgate.v_quota where provider = 'shop'")
    assert calls.total() <= spent <= PAGES + len(KILLED_AFTER)

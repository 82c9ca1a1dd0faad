"""Answers that a parser converts to JSON, from a service through the handlers' processes into a table."""

from __future__ import annotations

import gzip
from typing import Any

import pytest
from aiohttp import web

from tests.limits import PATIENCE
from tests.plan import Plan
from tests.runner.handlers import samples
from tests.runner.shop import Shop
from tests.runner.small_plan import start, status, write_plan

OWN = f"{samples.__name__}:{samples.reads_only_what_is_good.__name__}"


def answers(shop: Shop, *bodies: bytes | str, content_type: str = "text/plain") -> None:
    """Set each asset's answer to its body."""
    for number, body in enumerate(bodies):
        data = body.encode() if isinstance(body, str) else body

        async def answer(_: web.Request, data: bytes = data) -> web.Response:
            return web.Response(body=data, content_type=content_type)

        shop.special[f"/api/things/T{number}"] = answer


def write(plan: Plan, shop: Shop, parser: str, assets: int, **columns: Any) -> None:
    write_plan(
        plan, base_url=shop.url, assets=assets, operation_columns={"parser": parser, **columns}
    )
    start(plan)


def jobs(plan: Plan) -> list[tuple[str, str | None]]:
    """Return how each job ended, in order of the assets."""
    rows = plan.sql("select status, error from headgate.asset_processing_details order by asset_id")
    return [(x["status"], x["error"]) for x in rows]


async def test_a_gzip_file_of_csv_arrives_as_rows(plan: Plan, shop: Shop, run):
    answers(shop, gzip.compress(b"name,price\nA,1\nB,2\n"), content_type="application/gzip")
    write(plan, shop, "csv", 1)

    await run(processes=2)

    rows = plan.sql(
        "select x->>'name' as name, x->>'price' as price from public.answers,"
        " jsonb_array_elements(payload::jsonb) as x order by 1"
    )
    assert [tuple(x.values()) for x in rows] == [("A", "1"), ("B", "2")]
    assert status(plan)["status"] == "succeeded"


async def test_a_parser_is_told_where_an_answer_is_from(plan: Plan, shop: Shop, run):
    answers(shop, "hello")
    write(plan, shop, OWN, 1)

    await run(processes=2)

    told = plan.scalar("select payload::jsonb from public.answers")
    assert told == {"said": "hello", "url": f"{shop.url}/things/T0", "type": "text/plain"}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("raises", f"the parser {OWN}: KeyError: 'the price' (reads_only_what_is_good, line"),
        ("no json", f"the parser {OWN}: ValueError: its result is not JSON"),
        ("nan", "its result is not JSON"),
        ("nul", "its result holds a NUL character"),
        ("crashes", f"the parser {OWN}: its process was killed by SIGSEGV"),
        ("leaks", f"the parser {OWN}: it needed more than 256 MB of memory"),
        ("hangs", f"the parser {OWN}: it took longer than 10 seconds"),
        (b"\xff", "UnicodeDecodeError"),
    ],
)
async def test_a_parser_that_goes_wrong_harms_its_own_job_only(
    plan: Plan, shop: Shop, run, body: bytes | str, said: str
):
    answers(shop, "one", body, "two")
    write(
        plan,
        shop,
        OWN,
        3,
        max_memory=2**28,
        timeout=f"{10 if body == 'hangs' else PATIENCE} seconds",
    )

    await run(processes=2)

    first, second, third = jobs(plan)
    assert (first, third) == (("success", None), ("success", None))
    assert second[0] == "failed"
    assert said in str(second[1])
    assert len(shop.asked) == 3


async def test_a_parser_that_is_not_there_is_our_own_fault(plan: Plan, shop: Shop, run):
    answers(shop, "one")
    write(plan, shop, "cvs", 1)

    await run(processes=2)

    ((ended, error),) = jobs(plan)
    assert ended == "deferred"
    assert "there is no parser 'cvs'" in str(error)
    assert "Did you mean 'csv'?" in str(error)


async def test_a_bad_status_is_judged_by_its_rule_without_the_parser(plan: Plan, shop: Shop, run):
    async def gone(_: web.Request) -> web.Response:
        raise web.HTTPNotFound(text="raises")

    shop.answer = gone
    write(plan, shop, OWN, 1)

    await run(processes=2)

    assert jobs(plan) == [("failed", "no such thing (404: raises)")]

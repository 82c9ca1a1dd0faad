"""The pages of assets, operations, checks and alerts, and the planner's answers, over HTTP."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import LiteralString
from urllib.parse import quote

import pytest
from aiohttp import ClientSession

from headgate.database import connect
from headgate.settings import Settings
from tests import clock
from tests.db.toy import Toy
from tests.runner.web import nasty
from tests.runner.web.conftest import check_pages
from tests.runner.web.nasty import ADDRESS, MARKUP, NAMES, OPERATION, PIPELINE, QUOTE

WHO: LiteralString = """
    select distinct a.usename::text from pg_stat_activity as a
    where a.application_name = 'headgate web' and a.datname = current_database()
"""
Clone = Callable[[Settings | None], Settings]
EXPLAIN, FORECAST = f"/explain?pipeline={PIPELINE}", f"/forecast?pipeline={PIPELINE}"


@pytest.fixture(scope="session")
def world_template(clone: Clone, core_template: Settings) -> Settings:
    """Fill a database once with names that attack, a minute before the moment at which a clone's clock starts."""
    settings = clone(core_template)
    with connect(settings, "test") as connection:
        connection.execute(clock.moved(settings.database, clock.NOW - timedelta(minutes=1)))
    with connect(settings, "test") as connection:
        nasty.fill(nasty.toy(connection))
    return settings


@pytest.fixture
def core_database(request: pytest.FixtureRequest, clone_for_test: Clone) -> Settings:
    """Clone the world if the test asks for it, else the core."""
    source = "world" if "world" in request.fixturenames else "core"
    template: Settings = request.getfixturevalue(f"{source}_template")
    return clone_for_test(template)


@pytest.fixture
def world(core: Settings) -> Iterator[Toy]:
    """Connect to the test's own clone of the world."""
    with connect(core, "test") as connection:
        yield nasty.toy(connection)


async def read(client: ClientSession, path: str, status: int = 200) -> str:
    """Return a page's text, without what every page has."""
    async with client.get(path) as answer:
        text = await answer.text()
    assert answer.status == status, text
    return text.partition("<main")[2].partition("</main>")[0]


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("/assets", "No asset fails."),
        ("/assets?q=aapl", "Nothing is like it."),
        ("/operations", "There is no operation yet."),
        ("/checks", "There is no check."),
        ("/alerts", "Nothing is wrong."),
        ("/explain", "There is no pipeline yet."),
        ("/forecast", "There is no pipeline yet."),
    ],
)
async def test_an_empty_database_says_so(client, path, says):
    assert says in await read(client, path)


async def test_an_asset_has_its_needs_its_next_run_and_its_decisions(world, client):
    text = await read(client, "/assets/AAPL.US")

    assert [x for x in (OPERATION, PIPELINE, "success", "waiting") if x not in text] == []
    assert f'href="/runs/{PIPELINE}/r1"' in text
    assert "not due before" in text


async def test_a_search_finds_beginnings_and_near_misses(world, client):
    assert "Assets that begin with" in await read(client, "/assets?q=aap")
    assert "Did you mean" in await read(client, "/assets?q=aapl.ux")
    assert "AAPL.US?universe=shop" in await read(client, "/assets?q=aapl.ux")


@pytest.mark.parametrize(
    ("path", "status", "says"),
    [
        ("/assets/APPL.US", 404, "did you mean AAPL.US"),
        ("/assets/AAPL", 400, "AAPL.F, AAPL.US"),
        ("/assets/AAPL.US?universe=nowhere", 404, "in universe nowhere"),
        ("/assets/AAPL.US?before=yesterday", 400, "is not a time"),
        ("/operations/none", 404, "the page Operations lists them"),
        ("/checks/none", 404, "There is no page /checks/none"),
        ("/alerts?before=%3Cb%3E", 400, "&#39;&lt;b&gt;&#39; is not a time"),
        ("/explain?pipeline=smal_shop", 404, "small_shop"),
        ("/forecast?pipeline=smal_shop", 404, "small_shop"),
    ],
)
async def test_what_does_not_exist_is_named_with_the_way_out(world, client, path, status, says):
    assert says.lower() in (await read(client, path, status)).lower()


async def test_hostile_names_are_shown_as_text_wherever_they_are(world, client):
    pages = [
        *(f"/assets/{quote(x, safe='')}?universe=shop" for x in NAMES),
        *(f"/assets?q={quote(x, safe='')}" for x in NAMES),
        *("/assets", "/operations", f"/operations/{OPERATION}"),
        *("/checks", "/checks/prices_there", "/alerts", EXPLAIN + "&pairs", FORECAST),
        *(f"{EXPLAIN}&{x}={quote(MARKUP + QUOTE)}" for x in ("at", "quota", "param.calendar")),
    ]
    seen = ""
    for page in pages:
        text = await read(client, page)
        assert (page, "<script" in text, "<img" in text) == (page, False, False)
        seen += text

    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in seen
    assert f'href="/assets/{quote(ADDRESS, safe="")}?universe=shop"' in seen


async def test_long_lists_go_on_at_older_without_gaps(world, client):
    for page, count, row in (
        ("/checks/prices_there", 60, "<tr><td"),
        ("/alerts", 70, '<tr><td class="when">'),
    ):
        first = await read(client, page)
        older = first.rpartition('<a href="?before=')[2].partition('"')[0]
        second = await read(client, f"{page}?before={older}")

        is_alerts = page == "/alerts"  # the open ones are on each page
        assert first.count(row) + second.count(row) - 2 * is_alerts == count
        assert "?before=" not in second


async def test_a_check_s_value_has_at_most_four_decimals(world, client):
    assert '<td class="n">20</td>' in await read(client, "/checks")
    assert '<td class="n">19.6667</td>' in await read(client, "/checks/prices_there")


async def test_the_planner_answers_a_what_if_question(world, client):
    at = quote("2099-01-01 12:00Z")
    plain = await read(client, EXPLAIN)
    later = await read(client, f"{EXPLAIN}&at={at}&quota=3&pairs")

    assert "not due" in plain
    assert "<dd>3</dd>" in later
    assert "quota exhausted before this asset" in later
    assert "as if it ran at 2099-01-01 12:00:00 UTC" in later
    assert later.count("/assets/") == len(NAMES)


@pytest.mark.parametrize(
    ("asked", "field", "says"),
    [
        ("at=soon", "at", "invalid input syntax for type timestamp with time zone"),
        ("quota=many", "quota", "invalid input syntax for type integer"),
        ("quota=-1&param.calendar=daily", "quota", "quota"),
        ("param.calendar=lunar", "param.calendar", "calendar: sessions or daily"),
        ("param.operations=look_shoop", "param.operations", "did you mean look_shop?"),
        ("param.bulk_calls=perhaps&quota=3", "param.bulk_calls", "bulk_calls: true or false"),
    ],
)
async def test_a_wrong_value_has_the_databases_message_beside_it(world, client, asked, field, says):
    text = await read(client, f"{EXPLAIN}&{asked}")
    (wrong,) = text.split('aria-invalid="true"')[1:]

    assert f'name="{field}"' in text.partition(' aria-invalid="true"')[0].rpartition("<")[2]
    assert says in wrong.partition("</small>")[0]
    assert "as if it ran at" not in text


async def test_a_forecast_is_a_chart_and_a_table(world, client):
    text = await read(client, f"{FORECAST}&days=3&quota=2")

    assert text.count("<svg") == 2
    assert text.count("<rect") == 6
    assert text.count('<th scope="row" class="n">') == 3
    assert "Days must be between 1 and 3660" in await read(client, f"{FORECAST}&days=0&quota=2")


async def test_pages_are_read_as_reader_and_leave_no_trace(world, client):
    before = world.snapshot()
    for path in (f"{EXPLAIN}&quota=1&pairs", FORECAST, "/assets/AAPL.US"):
        await read(client, path)

    assert world.snapshot() == before
    assert world.sql(WHO) == [{"usename": "headgate_reader"}]


async def test_pages_about_one_thing_fit_and_raise_no_barrier(world, address, open_tab):
    pages = [
        *(f"assets/{quote(MARKUP, safe='')}?universe=shop", "assets?q=aapl.ux"),
        *(f"operations/{OPERATION}", "checks/prices_there", "alerts"),
        *(f"pipelines/{PIPELINE}", f"runs/{PIPELINE}/r1", f"forecast?pipeline={PIPELINE}&days=14"),
        f"explain?pipeline={PIPELINE}&at=2099-01-01&pairs&quota=many",
    ]
    async with open_tab() as page:
        await check_pages(page, address, pages)
        assert page.complaints == []

"""The pages, served over HTTP from a real database, and a browser that opens them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import AbstractAsyncContextManager
from importlib.resources import files
from typing import Final

import aiohttp
import pytest
from psycopg.types.json import Jsonb

from headgate.settings import Settings
from headgate.web import serve
from tests.browser import CHROMIUM, Page, chromium, tab
from tests.plan import Plan
from tests.runner.small_plan import start, write_plan

Open = Callable[..., AbstractAsyncContextManager[Page]]

SCRIPT = "<script>document.title = 'taken'</script>"
PATHS = ("", "pipelines", "pipelines/small_shop", "runs/small_shop/r1")
"""The pages of `hostile`, and those without names."""
AXE: Final = files("axe_core_python").joinpath("axe.min.js")
LOOKS: Final = (("light", 1280), ("dark", 360))
SERIOUS: Final = """
axe.run({resultTypes: ["violations"]}).then(found => JSON.stringify(
    found.violations.filter(x => ["serious", "critical"].includes(x.impact))
        .map(x => `${x.id}: ${x.nodes.map(n => n.html).join(" | ")}`)))
"""


@pytest.fixture
async def address(core: Settings) -> AsyncIterator[str]:
    """Serve the test's own clone; return where."""
    async with serve(core, host="127.0.0.1", port=0, allowed=()) as address:
        yield address


@pytest.fixture
async def client(address: str) -> AsyncIterator[aiohttp.ClientSession]:
    """Return a client of the pages."""
    async with aiohttp.ClientSession(address) as session:
        yield session


@pytest.fixture
def hostile(core_plan: Plan) -> Plan:
    """Run `r1` of three jobs: one has failed, one succeeded, one is left; texts hold a script."""
    write_plan(core_plan, assets=0)
    core_plan.sql("update headgate.pipelines set description = %(text)s", text=SCRIPT)
    codes = [{"code": f"{SCRIPT}{n}", "group_key": "G"} for n in range(3)]
    core_plan.call("upsert_assets", p_universe="shop", p_assets=Jsonb(codes))
    core_plan.sql("update headgate.operations set chunk_size = 1 where name = 'look_shop'")
    start(core_plan)
    core_plan.advance()
    for outcome in ("success", "failed"):
        end_job(core_plan, outcome)
    return core_plan


def end_job(plan: Plan, outcome: str) -> None:
    """Claim a job, and report how it ended."""
    (chunk,) = [x for x in plan.call("claim_jobs", p_runner="w", p_max_chunks=1) if x["chunk_id"]]
    plan.call(
        "complete_jobs",
        p_runner="w",
        p_chunk_id=chunk["chunk_id"],
        p_lease_no=chunk["lease_no"],
        p_asset_ids=chunk["asset_ids"],
        p_outcomes=[outcome],
        p_errors=[None if outcome == "success" else SCRIPT],
    )


@pytest.fixture(scope="session")
def _chromium() -> Iterator[int]:
    if CHROMIUM is None:
        pytest.skip("chromium is not installed here")
    with chromium() as port:
        yield port


@pytest.fixture
def open_tab(_chromium: int) -> Open:
    """Open a tab of the session's browser: `async with open_tab() as page`."""

    def open_it(width: int = 1280, height: int = 900) -> AbstractAsyncContextManager[Page]:
        return tab(_chromium, width, height)

    return open_it


async def check_pages(page: Page, address: str, paths: Iterable[str]) -> None:
    """Open each page, which fits each screen and has no serious fault for axe."""
    axe = AXE.read_text()
    for path in paths:
        await page.open(address + path)
        await page.promised(axe)
        assert await page.value("document.querySelectorAll('h1').length") == 1
        assert "taken" not in await page.value("document.title")
        for scheme, width in LOOKS:
            look = (path, scheme, width)
            await page.prefer(scheme)
            await page.resize(width, 900)
            wide = await page.value("document.documentElement.scrollWidth")
            assert (*look, wide) <= (*look, width)
            assert (*look, json.loads(await page.promised(SERIOUS))) == (*look, [])

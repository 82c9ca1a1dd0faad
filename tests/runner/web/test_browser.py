"""The pages in a browser: no complaints, no barriers, readable on a phone and without scripts."""

from __future__ import annotations

import pytest

from headgate.web.pages import PAGES
from tests.runner.web.conftest import PATHS, check_pages, end_job


@pytest.fixture
def paths() -> list[str]:
    """Return the address of every page."""
    return sorted({*PATHS, *(x.path.lstrip("/") for x in PAGES if x.menu), "nowhere"})


async def test_every_page_fits_and_raises_no_barrier(hostile, address, open_tab, paths):
    async with open_tab() as page:
        await check_pages(page, address, paths)
        assert [x for x in page.complaints if "/nowhere" not in x] == []


async def test_every_page_is_read_without_scripts(hostile, address, open_tab, paths):
    async with open_tab() as page:
        await page.tell("Emulation.setScriptExecutionDisabled", value=True)
        for path in paths:
            await page.open(address + path)
            assert len(await page.text()) > 100


async def test_an_open_page_follows_a_run(hostile, address, open_tab, monkeypatch):
    monkeypatch.setattr("headgate.notifications.AFTERWARDS", 900.0)
    async with open_tab() as page:
        await page.open(f"{address}runs/small_shop/r1")
        await page.value("(document.querySelector('.wide').focus(), window.isSame = true)")
        end_job(hostile, "success")
        hostile.advance()

        await page.wait_for("document.querySelector('h1').innerText.includes('failed')")
        assert await page.value("window.isSame")
        assert page.complaints == []

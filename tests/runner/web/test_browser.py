"""Every page in a browser: no complaints, no sideways scrolling, and readable without scripts."""

from __future__ import annotations

from headgate.web.pages import PAGES

WIDTHS = {"desktop": 1280, "phone": 360}


async def test_every_page_loads_without_complaints_and_fits(address, open_tab):
    async with open_tab() as page:
        for width in WIDTHS.values():
            await page.resize(width, 900)
            for path in [x.path for x in PAGES if x.menu]:
                await page.open(address + path.lstrip("/"))
                inner = await page.value("document.documentElement.scrollWidth")

                assert await page.value("document.querySelector('h1').innerText")
                assert (path, inner) <= (path, width)
        assert page.complaints == []

"""Airflow's pages in headless Chromium."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from tests.browser import chromium, tab

VIEWS = {
    "grid": "[data-testid^=grid-] [data-testid=task-state-badge]",
    "graph": ".react-flow__node",
}
"""Views of the page, with the selector of an element that each shows once per task."""


async def views_of_run(
    url: str, token: str, dag: str, run: str, words: Sequence[str]
) -> dict[str, tuple[str, bytes]]:
    """Return text and picture of a run's page: with its grid, and with its graph."""
    found = {}
    with chromium() as port:
        async with tab(port, 1280, 800) as page:
            await page.tell("Network.setCookie", name="_token", value=token, url=url)
            await page.tell("Page.navigate", url=f"{url}/dags/{dag}/runs/{run}")
            for view, marker in VIEWS.items():
                if view == "graph":
                    await page.press("g")
                await page.wait_for(f"document.querySelectorAll('{marker}').length >= {len(words)}")
                text = await page.read(words)
                await asyncio.sleep(2)  # for animations to end
                found[view] = (text, await page.picture())
    return found

"""Makes docs/web-*.png: python -m tests.pictures ADDRESS, of the pages that show the demos' database.

The demos (`headgate demo equities`, `freshpoc`, `onpoint` and `viral`) fill it; HEADGATE_DATABASE=headgate_demo
headgate web shows it. Look at each picture before you commit it: the data are those of today.
"""

from __future__ import annotations

import asyncio
import io
import sys
from typing import Final

from PIL import Image

from tests.browser import chromium, tab
from tests.docs import ROOT

EQUITIES: Final = "pipeline=data_collection_equities"
PAGES: Final = {
    "overview": "",
    "pipeline": "pipelines/onpoint_data_pipeline",
    "asset": "assets/AAPL.US?universe=equities",
    "operations": "operations",
    "checks": "checks",
    "alerts": "alerts",
    "explain": f"explain?{EQUITIES}&at=tomorrow&quota=5000",
    "forecast": f"forecast?{EQUITIES}&days=14",
}
HEIGHTS: Final = {"forecast": 1420}
HEIGHT: Final = 1150
RUN: Final = "[...document.querySelectorAll('a')].find(x => /runs.onpoint_data/.test(x.href)).href"


async def write_pictures(address: str) -> None:
    """Write the picture of each page, and of the run with failures that the overview links."""
    with chromium() as port:
        async with tab(port, 1280, HEIGHT) as page:
            await page.open(address)
            run = str(await page.value(RUN))
            for name, path in {**PAGES, "run": run.removeprefix(address)}.items():
                await page.open(address + path)
                content = await page.value("document.body.scrollHeight")
                await page.resize(1280, min(content, HEIGHTS.get(name, HEIGHT)))
                write(name, await page.picture())


def write(name: str, picture: bytes) -> None:
    """Write a picture with few colours, which keeps it small."""
    image = Image.open(io.BytesIO(picture)).convert("RGB").quantize(256, Image.Quantize.MAXCOVERAGE)
    image.save(ROOT / "docs" / f"web-{name}.png", optimize=True)


if __name__ == "__main__":
    asyncio.run(write_pictures(sys.argv[1]))

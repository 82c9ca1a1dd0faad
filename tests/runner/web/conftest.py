"""The pages, served over HTTP from a real database, and a browser that opens them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager

import aiohttp
import pytest

from headgate.settings import Settings
from headgate.web import serve
from tests.browser import CHROMIUM, Page, chromium, tab

Open = Callable[..., AbstractAsyncContextManager[Page]]


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

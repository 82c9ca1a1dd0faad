"""News for all browsers, from one connection that listens; many changes become one event."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final

from aiohttp import web

from headgate.notifications import note_changes
from headgate.settings import Settings

SHORTEST_PAUSE: Final = 1.0
"""Seconds between two events."""
SHARE: Final = 20
"""After an event, pages are read for at most one part in so many of the time."""
QUIET: Final = 20.0
"""Seconds after which a line without meaning keeps a proxy from closing a quiet stream."""


class Events:
    """Counts what has changed, and tells the browsers; each of them then reads its page again."""

    def __init__(self, settings: Settings) -> None:
        self.generation = 0
        """Grows with each event: what was read before it is out of date."""
        self.spent = 0.0
        """Seconds of reading pages since the latest event."""
        self._settings = settings
        self._changed = asyncio.Event()
        self._news = asyncio.Event()
        self._is_closing = False

    async def run(self, address: str) -> None:
        """Listen, and publish, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(note_changes(self._settings, f"web {address}", self._changed))
            group.create_task(self._publish())

    def close(self) -> None:
        """End all streams."""
        self._is_closing = True
        self._news.set()

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """Answer with server-sent events until the browser leaves."""
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(b"retry: 2000\n\n")
        with contextlib.suppress(ConnectionError):
            while not self._is_closing:
                try:
                    async with asyncio.timeout(QUIET):
                        await self._news.wait()
                except TimeoutError:
                    await response.write(b": quiet\n\n")
                    continue
                if not self._is_closing:
                    text = f"event: change\ndata: {self.generation}\n\n"
                    await response.write(text.encode())
        return response

    async def _publish(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            self.generation += 1
            news, self._news, self.spent = self._news, asyncio.Event(), 0.0
            news.set()
            await asyncio.sleep(SHORTEST_PAUSE)
            await asyncio.sleep(max(0.0, SHARE * self.spent - SHORTEST_PAUSE))

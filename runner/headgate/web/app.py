"""The web server: pages, events, static files; and errors with a hint."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Collection
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import Final

import psycopg
from aiohttp import web
from psycopg import Connection
from psycopg.rows import DictRow
from yarl import URL

from headgate.database import from_psycopg
from headgate.demo import DATABASE
from headgate.errors import (
    AmbiguousCode,
    HeadgateError,
    InvalidValue,
    MigrateError,
    ServerError,
    UnknownAsset,
    UnknownExecution,
    UnknownOperation,
    UnknownPipeline,
)
from headgate.metrics import render
from headgate.reports import command_of, environment, with_database
from headgate.settings import Settings
from headgate.web.events import Events
from headgate.web.page import Page, link
from headgate.web.pages import PAGES
from headgate.web.reader import Reader
from headgate.web.security import Handler, add_headers, guard, hosts_of

logger = logging.getLogger(__name__)

FAULT: Final = "the page has a fault"
STATIC: Final = Path(__file__).parent / "static"
STATUS: Final[dict[type[HeadgateError], int]] = {
    UnknownAsset: 404,
    UnknownExecution: 404,
    UnknownOperation: 404,
    UnknownPipeline: 404,
    AmbiguousCode: 400,
    InvalidValue: 400,
    MigrateError: 503,
    ServerError: 503,
}
"""Answers to errors, and to those derived from them; any other is 500."""
SAME: Final = 1.0
"""Seconds for which a page that was read is shown to others who ask for it."""
SHUTDOWN_SECONDS: Final = 2.0


@contextlib.asynccontextmanager
async def serve(
    settings: Settings, *, host: str, port: int, allowed: Collection[str]
) -> AsyncIterator[str]:
    """Serve within the block, which is given the address. Raises OSError."""
    site = Site(settings)
    app = _app_of(site, hosts_of(host, allowed))
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN_SECONDS)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        taken = runner.addresses[0][1]
        address = str(URL.build(scheme="http", host=host, port=taken, path="/"))
        async with site.following(address):
            yield address
    finally:
        await runner.cleanup()
        await asyncio.to_thread(site.close)


def _app_of(site: Site, hosts: frozenset[str]) -> web.Application:
    app = web.Application(middlewares=[guard(hosts), site.show_errors])
    app.on_response_prepare.append(add_headers)
    app.on_shutdown.append(site.say_goodbye)
    for page in PAGES:
        app.router.add_get(page.path, site.handler(page))
    app.router.add_get("/events", site.events.stream)
    app.router.add_get("/metrics", site.metrics)
    app.router.add_get("/static/style.css", site.style)
    app.router.add_static("/static", STATIC)
    return app


class Site:
    """The pages of one database."""

    def __init__(self, settings: Settings) -> None:
        self.events = Events(settings)
        self._reader = Reader(settings)
        self._read: dict[str, tuple[int, float, asyncio.Task[str]]] = {}
        self._templates = environment("headgate.web")
        self._templates.globals.update(
            link=link,
            database=settings.database,
            is_made_up=settings.database == DATABASE,
            command_of=partial(command_of, with_database(settings, "headgate")),
            menu=[page for page in PAGES if page.menu],
        )

    @contextlib.asynccontextmanager
    async def following(self, address: str) -> AsyncIterator[None]:
        """Listen for changes within the block; the session's name has the address of the pages."""
        listener = asyncio.create_task(self.events.run(address))
        try:
            yield
        finally:
            listener.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await listener

    def close(self) -> None:
        """Close all connections."""
        self._reader.close()

    async def say_goodbye(self, app: web.Application) -> None:
        """End the streams of events, which would hold up the end."""
        self.events.close()

    def handler(self, page: Page) -> Handler:
        """Return the handler of a page."""

        async def show(request: web.Request) -> web.Response:
            return _html(await self._text(page, request))

        return show

    async def metrics(self, request: web.Request) -> web.Response:
        """Answer Prometheus, in the format that it asks for."""
        accept = request.headers.get("Accept", "")
        content_type, text = await self._reader.read(partial(render, accept=accept))
        return web.Response(body=text, headers={"Content-Type": content_type})

    async def style(self, request: web.Request) -> web.Response:
        """Answer with the style that pages and reports share."""
        text = self._templates.get_template("style.css").render()
        return web.Response(text=text, content_type="text/css", charset="utf-8")

    async def _text(self, page: Page, request: web.Request) -> str:
        """Return a page as it is now; who asks for it at the same time gets the same."""
        now = time.monotonic()
        generation = self.events.generation
        self._read = {
            path: (read, at, text)
            for path, (read, at, text) in self._read.items()
            if read == generation and now - at < SAME and not _has_failed(text)
        }
        if request.path_qs not in self._read:
            reading = asyncio.ensure_future(self._load(page, request))
            self._read[request.path_qs] = (generation, now, reading)
        return await asyncio.shield(self._read[request.path_qs][2])

    async def _load(self, page: Page, request: web.Request) -> str:
        def work(connection: Connection[DictRow]) -> str:
            now = connection.execute("select headgate.clock() as now").fetchone()
            values = {**(now or {}), **page.load(connection, request)}
            return self._templates.get_template(page.template).render(values, page=page)

        began = time.monotonic()
        try:
            return await self._reader.read(work)
        finally:
            self.events.spent += time.monotonic() - began

    @web.middleware
    async def show_errors(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Turn errors into pages."""
        try:
            return await handler(request)
        except HeadgateError as exc:
            return self._error(exc, _status_of(exc))
        except psycopg.Error as exc:
            return self._error(from_psycopg(exc), 500)
        except web.HTTPNotFound:
            return self._error(_no_page(request.path), 404)
        except web.HTTPException:
            raise
        except Exception:
            logger.exception("%s", request.path)
            return self._error(HeadgateError(FAULT, hint="the server's log has the details"), 500)

    def _error(self, error: HeadgateError, status: int) -> web.Response:
        text = self._templates.get_template("error.html").render(
            error=error, status=status, page=None
        )
        return _html(text, status=status)


def _has_failed(text: asyncio.Task[str]) -> bool:
    return text.done() and (text.cancelled() or text.exception() is not None)


def _html(text: str, status: int = 200) -> web.Response:
    return web.Response(text=text, status=status, content_type="text/html", charset="utf-8")


def _status_of(error: HeadgateError) -> int:
    return next((STATUS[x] for x in type(error).__mro__ if x in STATUS), 500)


def _no_page(path: str) -> HeadgateError:
    known = [page.path for page in PAGES if page.menu]
    near = get_close_matches(path, known, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else "the menu has all pages"
    return HeadgateError(f"there is no page {path}", hint=hint)

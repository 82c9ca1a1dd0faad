"""Reads the database for pages: a few connections, each page in one read-only snapshot."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeVar

from psycopg import Connection, IsolationLevel
from psycopg.rows import DictRow

from headgate.database import READER, connect, mapped_errors
from headgate.errors import ServerUnreachable
from headgate.migrate import require_migrated
from headgate.sessions import BinaryCursor
from headgate.settings import Settings

T = TypeVar("T")

CONNECTIONS: Final = 4
LIMITS: Final = "select set_config('statement_timeout', '10s', true)"


class Reader:
    """A thread for each connection: a page's statements follow each other, pages run beside."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._threads = ThreadPoolExecutor(CONNECTIONS, thread_name_prefix="headgate-web")
        self._own = threading.local()
        self._open: set[Connection[DictRow]] = set()

    async def read(self, work: Callable[[Connection[DictRow]], T]) -> T:
        """Call `work` with a connection, in a thread. Raises ServerUnreachable."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self._read, work)

    def close(self) -> None:
        """Wait for what is being read, and close all connections."""
        self._threads.shutdown()
        for connection in self._open:
            connection.close()

    def _read(self, work: Callable[[Connection[DictRow]], T]) -> T:
        kept: Connection[DictRow] | None = getattr(self._own, "connection", None)
        if kept is not None:
            try:
                return self._within(kept, work)
            except ServerUnreachable:  # it may have been ended while nobody looked
                self._own.connection = None
                self._open.discard(kept)
                kept.close()
        connection = self._connect()
        self._own.connection = connection
        self._open.add(connection)
        return self._within(connection, work)

    def _connect(self) -> Connection[DictRow]:
        connection = connect(self._settings, "web", role=READER, cursor_factory=BinaryCursor)
        try:
            require_migrated(connection, self._settings)
        except BaseException:
            connection.close()
            raise
        connection.read_only = True
        connection.isolation_level = IsolationLevel.REPEATABLE_READ
        return connection

    def _within(self, connection: Connection[DictRow], work: Callable[[Any], T]) -> T:
        with mapped_errors(), connection.transaction():
            connection.execute(LIMITS)
            return work(connection)

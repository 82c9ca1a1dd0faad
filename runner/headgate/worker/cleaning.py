"""Cleans stores: removes expired artifacts, and keys of jobs that never committed.

Every runner asks the database for work at intervals; the database assigns each store to one runner,
once a day. A key without an artifact is removed once it is a day old by the store's own clock, but
only if its name is one that runners give: files of others that are in the same place stay.
"""

from __future__ import annotations

import asyncio
import logging
import re
from datetime import datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import psycopg

from headgate.errors import HeadgateError
from headgate.worker.artifacts import remove_keys, remove_left_over
from headgate.worker.chunks import Store
from headgate.worker.completion import reason_of
from headgate.worker.connection_pool import ConnectionPool

logger = logging.getLogger(__name__)

LOOK_SECONDS: Final = 600.0
AGE: Final = timedelta(days=1)
UNFINISHED: Final = re.compile(r"#\d+$")
"""The suffix of files that obstore leaves in folders if it is killed while writing."""


async def keep_clean(connections: ConnectionPool) -> None:
    """Run for ever: clean the stores that are due, and remove folders that killed runners left."""
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        await asyncio.to_thread(remove_left_over)
        if find_spec("obstore") is None:
            continue
        try:
            while (store := await connections.run(lambda queue: queue.take_store())) is not None:
                await clean(store, connections)
        except (psycopg.Error, HeadgateError, OSError) as exc:
            logger.warning("stores are not cleaned: %s", reason_of(exc))


async def clean(store: Store, connections: ConnectionPool) -> int:
    """Remove a store's unneeded keys; return their number. Raises HeadgateError."""
    from headgate.worker import stores

    count = 0
    before = await stores.now(store) - AGE
    async for keys in stores.keys_before(store, before):
        if ours := [x for x in keys if stores.is_ours(x)]:
            count += await remove_keys(store, ours, connections)
    count += await remove_keys(store, [], connections)
    if store.url.startswith("file:"):
        await asyncio.to_thread(_remove_unfinished, Path(store.url[7:]), before)
    if count:
        logger.info("store %s: %s keys were removed", store.name, count)
    return count


def _remove_unfinished(folder: Path, before: datetime) -> None:
    from headgate.worker.stores import is_ours

    for path in folder.rglob("*#*"):
        of = UNFINISHED.sub("", path.name)
        if of != path.name and is_ours(of) and path.stat().st_mtime < before.timestamp():
            path.unlink(missing_ok=True)

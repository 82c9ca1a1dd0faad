"""Files by which a supervisor, such as Kubernetes, sees how a worker does."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Final

SECONDS: Final = 5.0


class Health:
    """Two files in a folder: `alive` and `ready`; without a folder there are none.

    `alive` is touched every five seconds while the worker's loop turns, also while PostgreSQL is
    away: a worker that waits for it keeps the answers that it has. `ready` is there as long as
    PostgreSQL hears the worker.
    """

    def __init__(self, folder: Path | None) -> None:
        self._alive = folder / "alive" if folder else None
        self._ready = folder / "ready" if folder else None

    async def stay_alive(self) -> None:
        """Touch `alive` for ever."""
        if self._alive is None:
            await asyncio.Event().wait()
            return
        while True:
            with suppress(OSError):  # a disk that is full for a while ends no worker
                self._alive.touch()
            await asyncio.sleep(SECONDS)

    def heard(self, is_heard: bool) -> None:
        """Note whether PostgreSQL has just heard the worker."""
        if self._ready is not None:
            with suppress(OSError):
                self._ready.touch() if is_heard else self._ready.unlink(missing_ok=True)

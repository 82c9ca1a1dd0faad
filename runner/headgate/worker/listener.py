"""Wakes an idle runner when a message is sent, so that it need not poll."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Final

from headgate.notifications import notifications
from headgate.settings import Settings

POLL: Final = 1.0
"""Seconds between polls of a runner that cannot be notified."""


async def listen(
    settings: Settings, role: str, queues: Collection[str] | None, wake: asyncio.Event
) -> None:
    """Set `wake` whenever a message is sent to one of the queues, and about every POLL seconds
    behind a pooler; for ever."""
    sent = notifications(settings, "worker, listening", ("headgate_jobs",), role=role, poll=POLL)
    async for queue in sent:
        if queues is None or not queue or queue in queues:
            wake.set()

"""Room for answers: what all calls of a worker read, and keep until it is handed in, is bounded.

One half is shared. A call that finds it full goes on alone in the other half, the others wait for
their turn; so every call comes to its end, and none waits for one that waits for it.
"""

from __future__ import annotations

import asyncio
from collections import deque

from runner.escapes import Bytes
from runner.settings import DEFAULT_BUFFER


class Buffer:
    """So many bytes, of which answers take their shares."""

    def __init__(self, size: int = DEFAULT_BUFFER) -> None:
        self.most = size // 2
        """The largest answer that has room for certain."""
        self.taken = 0
        self._size = size
        self._alone: Share | None = None
        self._waiting: deque[tuple[asyncio.Future[None], Share, int]] = deque()

    def keep(self, data: Bytes) -> Kept:
        """Return an answer that takes up room for as long as anything holds it."""
        kept = data if isinstance(data, Kept) else Kept(data)
        kept.share = Share(self)
        kept.share.grow(len(kept))
        return kept

    def enqueue(self, share: Share, count: int) -> asyncio.Future[None]:
        """Return what is done when a share has got so many bytes more; first come, first served."""
        granted = asyncio.get_running_loop().create_future()
        if share is self._alone:
            self._waiting.appendleft((granted, share, count))
        else:
            self._waiting.append((granted, share, count))
        return granted

    def serve(self) -> None:
        """Give those who wait what there is by now; forget those who no longer do."""
        while self._waiting:
            granted, share, count = self._waiting[0]
            if not granted.done():
                if not self.fits(share, count):
                    return
                share.grow(count)
                granted.set_result(None)
            self._waiting.popleft()

    def has_turn(self, share: Share) -> bool:
        """Return whether nobody waits who comes first."""
        return share is self._alone or not self._waiting

    def fits(self, share: Share, count: int) -> bool:
        """Return whether there is room for so many bytes more; who finds none goes on alone."""
        if self._alone is None and self.taken + count > self.most:
            self._alone = share
        if share is self._alone:
            return self.taken + count <= self._size
        alone = self._alone.size if self._alone else 0
        return self.taken - alone + count <= self.most

    def leave(self, share: Share) -> None:
        """Take back what a share has: at any moment, because kept answers are let go of at any."""
        self.taken -= share.size
        if share is self._alone:
            self._alone = None
        if self._waiting:
            self._waiting[0][0].get_loop().call_soon_threadsafe(self.serve)


class Share:
    """One answer's part of a buffer."""

    def __init__(self, buffer: Buffer) -> None:
        self.size = 0
        self.has_waited = False
        self._buffer = buffer

    def take(self, count: int) -> bool:
        """Take so many bytes more, if there is room and nobody comes first."""
        if not self._buffer.has_turn(self) or not self._buffer.fits(self, count):
            return False
        self.grow(count)
        return True

    async def wait(self, count: int) -> None:
        """Take them as soon as there is room."""
        self.has_waited = True
        granted = self._buffer.enqueue(self, count)
        self._buffer.serve()
        try:
            await granted
        finally:
            self._buffer.serve()  # whoever gave up waiting stands in nobody's way

    def grow(self, count: int) -> None:
        """Take so many bytes more, whether there is room or not."""
        self.size += count
        self._buffer.taken += count

    def close(self) -> None:
        """Give everything back."""
        self._buffer.leave(self)
        self.size = 0


class Kept(bytearray):
    """An answer, which may have a share of its own."""

    share: Share | None = None

    def __del__(self) -> None:
        if self.share is not None:
            self.share.close()

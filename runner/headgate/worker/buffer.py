"""Bounds the memory of all answers that a runner reads and keeps until they are handed in.

One half of the buffer is shared by all calls. The first call that finds it full continues alone in
the other half while the others wait their turn. So every call can finish: there is no deadlock.
"""

from __future__ import annotations

import asyncio
from collections import deque

from headgate.escapes import Bytes
from headgate.settings import DEFAULT_BUFFER


class Buffer:
    """A number of bytes that answers take shares of."""

    def __init__(self, size: int = DEFAULT_BUFFER) -> None:
        self.most = size // 2
        """Bytes of the largest answer that is certain to fit."""
        self.taken = 0
        self._size = size
        self._alone: Share | None = None
        self._waiting: deque[tuple[asyncio.Future[None], Share, int]] = deque()

    def keep(self, data: Bytes) -> Kept:
        """Return the answer as an object that occupies the buffer until it is garbage-collected."""
        kept = data if isinstance(data, Kept) else Kept(data)
        kept.share = Share(self)
        kept.share.grow(len(kept))
        return kept

    def enqueue(self, share: Share, count: int) -> asyncio.Future[None]:
        """Return a future that is done when the share has `count` more bytes; they wait in line."""
        granted = asyncio.get_running_loop().create_future()
        if share is self._alone:
            self._waiting.appendleft((granted, share, count))
        else:
            self._waiting.append((granted, share, count))
        return granted

    def serve(self) -> None:
        """Grant waiting shares what fits by now, in order; drop those that no longer wait."""
        while self._waiting:
            granted, share, count = self._waiting[0]
            if not granted.done():
                if not self.fits(share, count):
                    return
                share.grow(count)
                granted.set_result(None)
            self._waiting.popleft()

    def has_turn(self, share: Share) -> bool:
        """Return whether no other share is ahead of this one."""
        return share is self._alone or not self._waiting

    def fits(self, share: Share, count: int) -> bool:
        """Return whether `count` more bytes fit; the first share without room goes on alone."""
        if self._alone is None and self.taken + count > self.most:
            self._alone = share
        if share is self._alone:
            return self.taken + count <= self._size
        alone = self._alone.size if self._alone else 0
        return self.taken - alone + count <= self.most

    def leave(self, share: Share) -> None:
        """Take back a share's bytes; runs at any moment, in any thread, as Kept.__del__ does."""
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
        """Take `count` more bytes if they fit and no other share is ahead; return True if so."""
        if not self._buffer.has_turn(self) or not self._buffer.fits(self, count):
            return False
        self.grow(count)
        return True

    async def wait(self, count: int) -> None:
        """Wait until `count` more bytes fit, and take them."""
        self.has_waited = True
        granted = self._buffer.enqueue(self, count)
        self._buffer.serve()
        try:
            await granted
        finally:
            self._buffer.serve()  # a wait that was cancelled blocks no other share

    def grow(self, count: int) -> None:
        """Take `count` more bytes, whether they fit or not."""
        self.size += count
        self._buffer.taken += count

    def close(self) -> None:
        """Give back all bytes of this share."""
        self._buffer.leave(self)
        self.size = 0


class Kept(bytearray):
    """An answer; its share of the buffer, if any, is given back with it."""

    share: Share | None = None

    def __del__(self) -> None:
        if self.share is not None:
            self.share.close()

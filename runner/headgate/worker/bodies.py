"""Reads the bodies of answers, each up to a limit and all within the runner's shared buffer."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Final

import aiohttp
import httpx2

from headgate.worker.buffer import Kept, Share
from headgate.worker.inflate import Inflater
from headgate.worker.patterns import LONGEST_HEAD
from headgate.worker.payloads import BadPayload

BREATH: Final = 1_048_576
"""Bytes inflated before other tasks of the event loop get a turn."""
BROKEN: Final = (OSError, httpx2.HTTPError, aiohttp.ClientError)
"""Errors of a connection that ends before its answer is complete."""


class NoRoom(BadPayload):
    """A body within the operation's max_bytes that is too large for this runner's buffer."""

    outcome = "deferred"
    fault = "internal"


class HungUp(BadPayload):
    """A body cut off after the runner had paused reading it for lack of room in the buffer."""

    fault = "internal"


@dataclass(slots=True)
class Body:
    """The part of a body that was read, and the problem that keeps it from being a payload."""

    data: Kept = field(default_factory=Kept)
    problem: BadPayload | None = None


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads one body; waiting for room in the buffer does not count against the call's timeout."""

    share: Share
    deadline: asyncio.Timeout
    limit: int
    too_large: BadPayload

    async def read(self, response: httpx2.Response) -> Body:
        """Read the body to its end, to the limit, or to the point where it is broken."""
        body = Body()
        try:
            await self._read(response, body.data)
        except BadPayload as exc:
            body.problem = exc.with_traceback(None)  # its frames hold all that was read
            del body.data[LONGEST_HEAD:]
        except BROKEN:
            if not self.share.has_waited:
                raise
            body.problem = HungUp("the connection broke after the answer had waited for room")
            del body.data[LONGEST_HEAD:]
        return body

    async def _read(self, response: httpx2.Response, data: bytearray) -> None:
        headers = response.headers.raw
        encodings = [y.decode("latin-1") for x, y in headers if x.lower() == b"content-encoding"]
        inflater = Inflater(encodings, self.limit)
        size, breath = 0, BREATH
        assert isinstance(response.stream, httpx2.AsyncByteStream)
        async for packed in response.stream:
            for piece in inflater.feed(packed):
                fitting = piece[: self.limit - len(data)]
                await self.make_room(len(fitting))
                data += fitting
                if len(fitting) < len(piece):
                    raise self.too_large
                if len(data) >= breath:
                    breath = len(data) + BREATH
                    await asyncio.sleep(0)
            size += len(packed)
            if size > self.limit:
                raise self.too_large
        inflater.finish()

    async def make_room(self, count: int) -> None:
        """Wait until the buffer has room for `count` more bytes."""
        if self.share.take(count):
            return
        now = asyncio.get_running_loop().time
        ends = self.deadline.when()
        left = None if ends is None else ends - now()
        self.deadline.reschedule(None)
        await self.share.wait(count)
        self.deadline.reschedule(None if left is None else now() + left)

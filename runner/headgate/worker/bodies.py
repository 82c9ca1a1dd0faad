"""Answers' bodies, read as far as they may go, in the room that a worker has for all of them."""

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
"""So many bytes are inflated at a time before others have their turn."""
BROKEN: Final = (OSError, httpx2.HTTPError, aiohttp.ClientError)
"""How a connection ends before its answer does."""


class NoRoom(BadPayload):
    """A body that this worker has no room for, though the operation would take it."""

    outcome = "deferred"
    fault = "internal"


class HungUp(BadPayload):
    """A body that broke off after this worker had kept its sender waiting for room."""

    fault = "internal"


@dataclass(slots=True)
class Body:
    """What was read of a body, and why it is of no use as a payload."""

    data: Kept = field(default_factory=Kept)
    problem: BadPayload | None = None


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads one body; the time for which it waits for room is not the provider's."""

    share: Share
    deadline: asyncio.Timeout
    limit: int
    too_large: BadPayload

    async def read(self, response: httpx2.Response) -> Body:
        """Read to the end, to the limit, or to where it is broken."""
        body = Body()
        try:
            await self._read(response, body.data)
        except BadPayload as exc:
            body.problem = exc.with_traceback(None)  # which would hold all that was read
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
        """Wait until there is room for so many bytes more."""
        if self.share.take(count):
            return
        now = asyncio.get_running_loop().time
        ends = self.deadline.when()
        left = None if ends is None else ends - now()
        self.deadline.reschedule(None)
        await self.share.wait(count)
        self.deadline.reschedule(None if left is None else now() + left)

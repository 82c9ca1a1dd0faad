"""Looks up answers to equal requests in the cache before a chunk's calls start.

The database decides which answers may serve, and lets one runner make a request that several need.
This runner keeps answers that it has looked up in memory, so that it need not read them again.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import psycopg

from headgate.errors import HeadgateError, LostLease
from headgate.worker.background import Background
from headgate.worker.calls import Reply
from headgate.worker.completion import reason_of
from headgate.worker.connection_pool import ConnectionPool
from headgate.worker.leases import CallLease, Stale
from headgate.worker.queue import LookedUp
from headgate.worker.rules import Outcome

logger = logging.getLogger(__name__)

MOST: Final = 16 * 1024 * 1024
"""Maximum bytes of answers that a runner keeps in memory."""
AT_ONCE: Final = 200
"""The maximum number of requests looked up at once."""
PAUSE: Final = 0.02
CONDITIONS: Final = ("if-none-match", "if-modified-since")
"""Headers that request only a newer version: an answer without them serves as well."""
HIT: Final = Outcome("success", "item", "")
EQUAL: Final = Reply(Outcome("unsent", "quota", "an equal request is under way"), 0, None, 0)

Deliver: TypeAlias = Callable[[CallLease, Mapping[int, Reply]], None]
"""Takes replies to a lease's calls by their index; an empty mapping ends the look-up."""


@dataclass(frozen=True, slots=True)
class Shelved:
    """The reply made from a cached answer, and the answer's time by the database's clock."""

    reply: Reply
    answered_at: float | None
    size: int


class Shelf:
    """Answers by key, up to a number of bytes; those not used for longest go first."""

    def __init__(self, most: int = MOST) -> None:
        self.bytes = 0
        self._most = most
        self._held: OrderedDict[str, Shelved] = OrderedDict()

    def __len__(self) -> int:
        return len(self._held)

    def answered_at(self, key: str) -> float | None:
        """Return when the answer kept here was stored; None if none is kept."""
        held = self._held.get(key)
        return None if held is None else held.answered_at

    def take(self, found: LookedUp) -> Reply | None:
        """Return the reply for a cached answer, kept if new; None if it is no longer kept."""
        if found.answer is None or found.payload is None:
            held = self._held.get(found.key)
            if held is None or held.answered_at != found.answered_at:
                return None
            self._held.move_to_end(found.key)
            return held.reply
        payload = found.payload.encode()
        head = f'{found.answer[:-1]}, "from_cache": true, "key": "{found.key}"}}'
        held = Shelved(Reply(HIT, 0, payload, 0, head), found.answered_at, len(payload) + len(head))
        self._drop(found.key)
        if held.size <= self._most:
            self._held[found.key] = held
            self.bytes += held.size
        while self.bytes > self._most:
            self._drop(next(iter(self._held)))
        return held.reply

    def _drop(self, key: str) -> None:
        held = self._held.pop(key, None)
        if held is not None:
            self.bytes -= held.size


class AnswerCache:
    """Looks up the requests of leases before their calls start."""

    def __init__(
        self,
        connections: ConnectionPool,
        background: Background,
        on_lost: Callable[[CallLease], None],
        shelf: Shelf | None = None,
    ) -> None:
        self._shelf = shelf or Shelf()
        self._connections = connections
        self._background = background
        self._on_lost = on_lost

    def begin(self, held: CallLease, deliver: Deliver) -> None:
        """Start looking up a lease's requests."""
        self._background.begin(self._look_up_all(held, deliver))

    async def _look_up_all(self, held: CallLease, deliver: Deliver) -> None:
        """Deliver cached replies; requests that cannot be looked up are made."""
        keys = keys_of(held)
        left = list(keys)
        try:
            while left and not held.is_lost and held.waiting:
                if held.is_full:
                    await asyncio.sleep(PAUSE)
                    continue
                replies, unknown = await self._look_up(held, keys, left[:AT_ONCE])
                if replies:
                    deliver(held, replies)
                left = unknown + left[AT_ONCE:]
        except LostLease as exc:
            logger.warning("dropped: %s", exc)
            self._on_lost(held)
        except (psycopg.Error, HeadgateError) as exc:
            logger.error("no answer could be looked up: %s", reason_of(exc))
        if not held.is_lost:
            deliver(held, {})

    async def _look_up(
        self, held: CallLease, keys: Mapping[int, str], indexes: Sequence[int]
    ) -> tuple[dict[int, Reply], list[int]]:
        """Return replies, and the requests still to look up; all others are to be made."""
        asked: dict[str, int] = {}
        for index in indexes:
            asked.setdefault(keys[index], held.chunk.asset_ids[index])
        held_at = [self._shelf.answered_at(key) for key in asked]
        found = await self._connections.run(
            lambda queue: queue.look_up(held.chunk, list(asked.values()), list(asked), held_at)
        )
        ours = {x.key: x for x in found if x.state == "fetch"}
        known = {x.key: self._shelf.take(x) if x.state == "hit" else EQUAL for x in found}
        replies, unknown = {}, []
        for index in indexes:
            key = keys[index]
            reply = known.get(key)
            if key in ours:
                # Further equal requests of the chunk wait for this one.
                _note_stale(held, index, ours.pop(key))
            elif reply is None:
                unknown.append(index)
            else:
                replies[index] = reply
        return replies, unknown


def _note_stale(held: CallLease, index: int, found: LookedUp) -> None:
    """Note an older answer, unless the request names a version by itself."""
    own = (held.chunk.headers[index] if held.chunk.headers else None) or {}
    if found.answer is None or any(x.lower() in CONDITIONS for x in own):
        return
    reply = Reply(HIT, 0, (found.payload or "").encode(), 0, found.answer)
    held.stale[index] = Stale(_conditions_of(found), reply)


def _conditions_of(found: LookedUp) -> dict[str, str]:
    """Return the headers that name the version of an answer."""
    headers = json.loads(found.answer or "{}").get("headers") or {}
    named = {
        "If-None-Match": headers.get("etag"),
        "If-Modified-Since": headers.get("last-modified"),
    }
    return {x: y for x, y in named.items() if y and y.isascii() and y.isprintable()}


def keys_of(held: CallLease) -> dict[int, str]:
    """Return the keys of a lease's requests by their index; equal requests have equal keys.

    A key covers everything that can change an answer. The secret is represented by the provider,
    the name of its variable and its fingerprint.
    """
    call, chunk = held.call, held.chunk
    auth = (call.auth.place, call.auth.name, call.auth.variable, call.auth.fingerprint)
    common = [chunk.provider, call.base_url, auth, call.method, sorted(call.headers), call.parser]
    start = hashlib.sha256(json.dumps(common).encode())
    keys = {}
    for index in held.todo:
        url = held.urls[index]
        if url is None:
            continue
        own = (chunk.headers[index] if chunk.headers else None) or {}
        own = {x: y for x, y in own.items() if x.lower() not in CONDITIONS}
        body = chunk.bodies[index] if chunk.bodies else None
        whole = start.copy()
        whole.update(json.dumps([url, body, own], sort_keys=True).encode())
        keys[index] = whole.hexdigest()
    return keys

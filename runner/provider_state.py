"""What one runner knows of a provider right now: how many calls are open, and what is closed."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias

from headgate.worker.chunks import Chunk
from headgate.worker.leases import CallLease
from headgate.worker.rules import Block

MAX_FAULTS: Final = 10
MAX_CHUNKS: Final = 20
"""How many chunks a claim may bring."""

Scope: TypeAlias = tuple[str, str] | None


@dataclass(slots=True)
class KnownBlock:
    """A block from an answer; it holds until a claim after its report says otherwise."""

    block: Block
    at: float
    reported_at: float | None = None


@dataclass(slots=True, eq=False)
class ProviderState:
    """A provider as this runner sees it."""

    provider: str
    in_flight: int = 1
    open: int = 0
    load: int = 0
    """Calls that wait or are open."""
    verdicts: int = 0
    """Completions under way of chunks without calls."""
    handlings: int = 0
    """Chunks whose handlers run, or wait for a process."""
    faults: int = 0
    """Calls in a row that failed by the provider's fault."""
    was_avoided: bool = False
    queue: deque[CallLease] = field(default_factory=deque)
    blocks: dict[Scope, KnownBlock] = field(default_factory=dict)

    def next_call(self, now: float) -> CallLease | None:
        """Return the chunk whose call starts next, if one may."""
        while self.queue and not self.queue[0].waiting:
            self.queue.popleft()
        if self.open >= self.in_flight:
            return None
        return next((held for held in self.queue if held.waiting and held.may_start(now)), None)

    def starved(self) -> list[CallLease]:
        """Return the chunks whose calls have no time to start, and have not asked for more."""
        return [held for held in self.queue if held.is_starved and not held.is_asking]

    def next_start(self) -> float:
        """Return when the next of its calls may start that wait for their time."""
        paces = (held.pace for held in self.queue if held.waiting and not held.is_starved)
        return min((pace.next_at for pace in paces if pace is not None), default=math.inf)

    def block(self, chunk: Chunk, block: Block, now: float) -> None:
        """Note that an answer closed the provider, or only the chunk's execution."""
        scope = chunk.execution if block.until == "execution" else None
        known = self.blocks.get(scope)
        if known is None or known.reported_at is not None:
            self.blocks[scope] = KnownBlock(block, now)

    def block_for(self, chunk: Chunk, now: float) -> Block | None:
        """Return what is closed for a chunk, its seconds counted from now."""
        known = self.blocks.get(None) or self.blocks.get(chunk.execution)
        if known is None or known.block.seconds is None:
            return known.block if known else None
        return replace(known.block, seconds=max(0.0, known.block.seconds - (now - known.at)))

    def mark_reported(self, chunk: Chunk, now: float) -> None:
        """Note that the database knows what is closed for the chunk."""
        for scope in (None, chunk.execution):
            if (known := self.blocks.get(scope)) and known.reported_at is None:
                known.reported_at = now

    def unblock(self, chunk: Chunk, claimed_at: float) -> None:
        """A chunk that was claimed after the database knew of a block ends it."""
        for scope in (None, chunk.execution):
            known = self.blocks.get(scope)
            if known and known.reported_at is not None and claimed_at > known.reported_at:
                del self.blocks[scope]

    def is_unreported(self) -> bool:
        """Return whether the provider is blocked and the database does not know it yet."""
        known = self.blocks.get(None)
        return known is not None and known.reported_at is None

    def affected(self) -> Iterator[CallLease]:
        """Return the chunks whose waiting calls are closed."""
        return (h for h in list(self.queue) if self.block_for(h.chunk, 0.0) is not None)

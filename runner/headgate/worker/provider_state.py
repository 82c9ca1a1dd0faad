"""State of a provider within one runner: its open calls and its waiting chunks."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from headgate.worker.leases import CallLease, Leased
from headgate.worker.pace import Starts
from headgate.worker.rules import Block

MAX_FAULTS: Final = 10
MAX_CHUNKS: Final = 20
"""The maximum number of chunks of a claim."""


@dataclass(slots=True, eq=False)
class ProviderState:
    """A provider as this runner sees it."""

    provider: str
    in_flight: int = 1
    open: int = 0
    load: int = 0
    """Calls that wait or are open."""
    uniform_reports: int = 0
    """Chunks without calls that are handed in, or wait for that."""
    handlings: int = 0
    """Chunks whose handlers run, or wait for a process."""
    faults: int = 0
    """Calls in a row that failed by the provider's fault."""
    was_avoided: bool = False
    starts: Starts = field(default_factory=Starts)
    queue: deque[CallLease] = field(default_factory=deque)
    stopped: list[CallLease] = field(default_factory=list)
    """Leases that an answer has stopped, until their report is handed in."""

    def next_call(self, now: float) -> CallLease | None:
        """Return the chunk whose call may start next, or None."""
        while self.queue and not self.queue[0].waiting:
            self.queue.popleft()
        is_time = self.starts.may_start(now)
        if self.open >= self.in_flight:
            return None
        return next(
            (
                held
                for held in self.queue
                if held.waiting and held.may_start(now) and (is_time or not held.is_paced)
            ),
            None,
        )

    def starved(self, room: int) -> tuple[CallLease, int] | None:
        """Return a chunk that needs times to start, and how many calls have room for them.

        As long as more are promised than there is room for, none are needed: so that requests are
        few where the provider's limit makes calls wait.
        """
        promised = self.starts.promised
        room = min(room, self.in_flight - self.open - promised)
        if room < max(1, promised):
            return None
        for held in self.queue:
            calls = min(room, held.paced - promised)
            if calls > 0:
                return held, calls
            promised = max(0, promised - held.paced)
        return None

    def next_start(self) -> float:
        """Return the loop time at which the next paced call may start; infinity if none waits."""
        return self.starts.next_at if any(held.paced for held in self.queue) else math.inf

    def stop(self, held: CallLease, block: Block, now: float) -> list[CallLease]:
        """Note that an answer to a lease blocks calls; return the leases that it stops."""
        self._stop(held, block, now)
        waiting = [other for other in self.queue if other.waiting and other is not held]
        others = [other for other in waiting if held.stops(other.chunk)]
        for other in others:
            self._stop(other, block, now)
        return [held, *others]

    def stop_at_once(self, held: CallLease, now: float) -> bool:
        """Stop a new lease if a block not yet handed in applies to it; return whether one does."""
        known = next((other for other in self.stopped if other.stops(held.chunk)), None)
        block = known.block_at(now) if known else None
        if block is not None:
            self._stop(held, block, now)
        return block is not None

    def handed_in(self, held: Leased) -> None:
        """Note that the database knows the block of a lease, or that the lease is lost."""
        self.stopped = [other for other in self.stopped if other is not held]

    def is_stopped(self) -> bool:
        """Return whether an answer stopped all calls that the database does not know of yet."""
        return any(held.block and held.block.until != "execution" for held in self.stopped)

    def _stop(self, held: CallLease, block: Block, now: float) -> None:
        if held.block is None:
            held.block, held.blocked_at = block, now
            self.stopped.append(held)


class Providers:
    """The providers that this runner has worked for, in the order of their turns."""

    def __init__(self) -> None:
        self._known: dict[str, ProviderState] = {}
        self.turn: deque[ProviderState] = deque()

    def __iter__(self) -> Iterator[ProviderState]:
        return iter(list(self.turn))

    def of(self, provider: str) -> ProviderState:
        """Return the provider's state."""
        state = self._known.get(provider)
        if state is None:
            state = self._known[provider] = ProviderState(provider)
            self.turn.append(state)
        return state

    @property
    def load(self) -> int:
        """Return the number of calls that wait or are open."""
        return sum(state.load for state in self.turn)

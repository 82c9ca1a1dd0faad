"""What one runner does with a provider right now: how many calls are open, and who waits."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from typing import Final

from runner.leases import Held, Leased
from runner.rules import Closing

MOST_FAULTS: Final = 10
MOST_CHUNKS: Final = 20
"""How many chunks a claim may bring."""


@dataclass(slots=True, eq=False)
class Gate:
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
    queue: deque[Held] = field(default_factory=deque)
    stopped: list[Held] = field(default_factory=list)
    """Leases that an answer has stopped, until their report is handed in."""

    def next_call(self, now: float) -> Held | None:
        """Return the chunk whose call starts next, if one may."""
        while self.queue and not self.queue[0].waiting:
            self.queue.popleft()
        if self.open >= self.in_flight:
            return None
        return next((held for held in self.queue if held.waiting and held.may_start(now)), None)

    def starved(self) -> list[Held]:
        """Return the chunks whose calls have no time to start, and have not asked for more."""
        return [held for held in self.queue if held.is_starved and not held.is_asking]

    def next_start(self) -> float:
        """Return when the next of its calls may start that wait for their time."""
        paces = (held.pace for held in self.queue if held.waiting and not held.is_starved)
        return min((pace.next_at for pace in paces if pace is not None), default=math.inf)

    def stop(self, held: Held, closing: Closing, now: float) -> list[Held]:
        """Note that an answer to a lease stops calls; return the leases that it stops."""
        self._stop(held, closing, now)
        waiting = [other for other in self.queue if other.waiting and other is not held]
        others = [other for other in waiting if held.stops(other.chunk)]
        for other in others:
            self._stop(other, closing, now)
        return [held, *others]

    def stop_at_once(self, held: Held, now: float) -> bool:
        """Stop a new lease when an answer that is not handed in stops its calls, too."""
        known = next((other for other in self.stopped if other.stops(held.chunk)), None)
        closing = known.closing_at(now) if known else None
        if closing is not None:
            self._stop(held, closing, now)
        return closing is not None

    def handed_in(self, held: Leased) -> None:
        """Note that the database knows what stopped a lease, or that the lease is lost."""
        self.stopped = [other for other in self.stopped if other is not held]

    def is_stopped(self) -> bool:
        """Tell whether an answer stopped all calls, and the database does not know it yet."""
        return any(held.closing and held.closing.until != "execution" for held in self.stopped)

    def _stop(self, held: Held, closing: Closing, now: float) -> None:
        if held.closing is None:
            held.closing, held.closed_at = closing, now
            self.stopped.append(held)

"""Times at which a chunk's calls may start, granted by the database to all runners together."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

LATENESS: Final = 0.35
"""By what part of the time between two starts one may be late: no second gets a call too many."""
MAX_JUMP: Final = 10.0
"""A message that seems to have been under way for so many seconds shows that a clock was set."""
DRIFT: Final = 1e-4
"""By how much the two clocks may part in a second."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """What the database grants: the first start, and the time between two."""

    asked_at: float
    """When the database was asked, by its own clock."""
    start_in: float
    """Seconds from then."""
    every: float
    burst: int
    """How many starts may be made up for at once."""


class ServerClock:
    """What the event loop's clock showed at a time of the server's.

    An answer arrives late by the time it took. The fastest one so far says how the clocks stand, so
    that a runner whose answer was slow does not start its calls among those of the next one.
    """

    def __init__(self) -> None:
        self._offset = math.inf
        self._at = 0.0

    def loop_time(self, server_time: float, received_at: float) -> float:
        """Return the loop's time for a time that an answer names which was received just now."""
        sample = received_at - server_time
        drifted = self._offset + DRIFT * (received_at - self._at)
        self._offset = sample if sample > drifted + MAX_JUMP else min(sample, drifted)
        self._at = received_at
        return server_time + self._offset


@dataclass(slots=True)
class Pace:
    """The times that are left. One that has passed for long lapses: it would make a crowd."""

    next_at: float
    every: float
    burst: int
    left: int

    @classmethod
    def of(cls, schedule: Schedule, calls: int, clock: ServerClock, now: float) -> Pace:
        """Return the times of a schedule that arrived just now."""
        asked_at = clock.loop_time(schedule.asked_at, now)
        return cls(asked_at + schedule.start_in, schedule.every, schedule.burst, calls)

    def may_start(self, now: float) -> bool:
        """Return whether a call may start; forget the times that have lapsed."""
        late = now - self.next_at - (self.burst - 1 + LATENESS) * self.every
        if late > 0 and self.every > 0:
            lapsed = min(self.left, math.ceil(late / self.every))
            self.next_at += lapsed * self.every
            self.left -= lapsed
        return self.left > 0 and now >= self.next_at

    def take(self) -> None:
        """Use the next time."""
        self.next_at += self.every
        self.left -= 1

"""Times at which a chunk's calls may start, granted by the database to all runners together."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Schedule:
    """What the database grants: the first start, seconds from now, and the time between two."""

    start_in: float
    every: float
    burst: int
    """How many starts may be made up for at once."""


@dataclass(slots=True)
class Pace:
    """The times that are left. One that has passed for long lapses: it would make a crowd."""

    next_at: float
    every: float
    burst: int
    left: int

    @classmethod
    def of(cls, schedule: Schedule, calls: int, now: float) -> Pace:
        """Return the times of a schedule that was granted just now."""
        return cls(now + schedule.start_in, schedule.every, schedule.burst, calls)

    def may_start(self, now: float) -> bool:
        """Tell whether a call may start; forget the times that have lapsed."""
        late = now - self.burst * self.every - self.next_at
        if late > 0 and self.every > 0:
            lapsed = min(self.left, math.ceil(late / self.every))
            self.next_at += lapsed * self.every
            self.left -= lapsed
        return self.left > 0 and now >= self.next_at

    def take(self) -> None:
        """Use the next time."""
        self.next_at += self.every
        self.left -= 1

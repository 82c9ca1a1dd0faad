"""Times at which a chunk's calls may start, granted by the database across all runners."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

LATENESS: Final = 0.35
"""How late a start may be, as a part of the interval, without too many calls in any second."""
MAX_JUMP: Final = 10.0
"""An answer that seems delayed by more than this many seconds shows that a clock was set."""
DRIFT: Final = 1e-4
"""Seconds by which the two clocks may drift apart in a second."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """The times to start that the database grants: the first, and the interval in seconds."""

    asked_at: float
    """The time of the request by the database's own clock, in seconds."""
    start_in: float
    """Seconds from `asked_at` to the first start."""
    every: float
    burst: int
    """The number of overdue starts that may be made up for at once."""


class ServerClock:
    """Converts times of the server's clock to times of the event loop's clock.

    An answer arrives late by its time under way. The fastest answer so far gives the difference of
    the clocks, so that a runner with a slow answer does not start calls at another runner's times.
    """

    def __init__(self) -> None:
        self._offset = math.inf
        self._at = 0.0

    def loop_time(self, server_time: float, received_at: float) -> float:
        """Return the loop's time for a server time, which an answer received just now names."""
        sample = received_at - server_time
        drifted = self._offset + DRIFT * (received_at - self._at)
        self._offset = sample if sample > drifted + MAX_JUMP else min(sample, drifted)
        self._at = received_at
        return server_time + self._offset


@dataclass(slots=True)
class Pace:
    """The times to start that are left; times long past lapse, so that calls do not bunch up."""

    next_at: float
    every: float
    burst: int
    left: int

    @classmethod
    def of(cls, schedule: Schedule, calls: int, clock: ServerClock, now: float) -> Pace:
        """Return the times of a schedule that was received at `now`."""
        asked_at = clock.loop_time(schedule.asked_at, now)
        return cls(asked_at + schedule.start_in, schedule.every, schedule.burst, calls)

    def may_start(self, now: float) -> bool:
        """Return whether a call may start at `now`; drop the times that have lapsed."""
        late = now - self.next_at - (self.burst - 1 + LATENESS) * self.every
        if late > 0 and self.every > 0:
            lapsed = min(self.left, math.ceil(late / self.every))
            self.next_at += lapsed * self.every
            self.left -= lapsed
        return self.left > 0 and now >= self.next_at

    def take(self) -> None:
        """Use up the next time to start."""
        self.next_at += self.every
        self.left -= 1

"""Times at which a chunk's calls may start, granted by the database across all runners."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Final

LATENESS: Final = 0.35
"""How late a start may be, as a part of the interval, without too many calls in any second."""
LATE_SECONDS: Final = 0.0175
"""How late it may always be: a limit of so many calls in a second is kept with 2 % to spare."""
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
    starts: int
    """The number of times."""


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
    def of(cls, schedule: Schedule, clock: ServerClock, now: float) -> Pace:
        """Return the times of a schedule that was received at `now`."""
        asked_at = clock.loop_time(schedule.asked_at, now)
        return cls(asked_at + schedule.start_in, schedule.every, schedule.burst, schedule.starts)

    def may_start(self, now: float) -> bool:
        """Return whether a call may start at `now`; drop the times that have lapsed."""
        latest = max(LATENESS * self.every, LATE_SECONDS) + (self.burst - 1) * self.every
        late = now - self.next_at - latest
        if late > 0 and self.every > 0:
            lapsed = min(self.left, math.ceil(late / self.every))
            self.next_at += lapsed * self.every
            self.left -= lapsed
        return self.left > 0 and now >= self.next_at

    def take(self) -> None:
        """Use up the next time to start."""
        self.next_at += self.every
        self.left -= 1


@dataclass(slots=True)
class Starts:
    """A runner's times to start at one provider, whichever of its chunks asked for them."""

    asking: int = 0
    """How many more have been requested."""
    _paces: list[Pace] = field(default_factory=list)

    @property
    def promised(self) -> int:
        """Return the number of times that are left or have been requested."""
        return self.asking + sum(pace.left for pace in self._paces)

    @property
    def next_at(self) -> float:
        """Return the next time to start; infinity if none is left."""
        return self._paces[0].next_at if self._paces else math.inf

    def add(self, pace: Pace) -> None:
        """Add the times of a grant; grants may arrive in another order than that of their times."""
        if pace.left:
            self._paces.append(pace)
            self._paces.sort(key=lambda pace: pace.next_at)

    def may_start(self, now: float) -> bool:
        """Return whether a call may start at `now`; drop the times that have lapsed."""
        while self._paces:
            if self._paces[0].may_start(now):
                return True
            if self._paces[0].left:
                return False
            del self._paces[0]
        return False

    def take(self) -> None:
        """Use up the next time to start."""
        self._paces[0].take()
        if not self._paces[0].left:
            del self._paces[0]

"""Chunks that need no call, and how many of them are handed in together."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Final

from headgate.worker.chunks import Chunk
from headgate.worker.reports import UniformReport

MAX_TOGETHER: Final = 16
"""The maximum number of chunks that are handed in together."""
MOMENT: Final = 0.1
"""Seconds of work without calls that one commit may hold, and that may wait in one runner while
others are idle."""


@dataclass(frozen=True, slots=True)
class Ending:
    """A chunk whose jobs all end alike."""

    chunk: Chunk
    report: UniformReport

    @property
    def kind(self) -> Hashable:
        """Return what chunks that are handed in together have in common."""
        chunk, report = self.chunk, self.report
        return (
            (chunk.execution, chunk.step, chunk.operation, chunk.attempt),
            (report.outcome, report.fault, report.error),
        )


class Endings:
    """Chunks without calls, from their claim until they are handed in.

    Each commit costs about as much as the work of fifty small jobs, so quick chunks share one, and
    the claim of the next as well; slow chunks are handed in one by one.
    """

    def __init__(self, connections: int) -> None:
        self._connections = connections
        self._waiting: deque[Ending] = deque()
        self._busy = 0
        self._seconds: dict[str, float] = {}
        """By operation, the recent average of the seconds that one of its chunks takes."""

    @property
    def may_begin(self) -> bool:
        """Return whether a chunk waits and a connection may take it."""
        return bool(self._waiting) and self._busy < self._connections

    def add(self, chunk: Chunk, report: UniformReport) -> None:
        """Let a chunk wait to be handed in."""
        self._waiting.append(Ending(chunk, report))

    def begin(self) -> list[Ending]:
        """Take chunks to hand in together, a fair share of those that wait; call `done` then."""
        share = -(-len(self._waiting) // (self._connections - self._busy))
        first = self._waiting.popleft()
        most = min(share, self.most_together(first.chunk))
        others = [x for x in self._waiting if x.kind == first.kind][: most - 1]
        for other in others:
            self._waiting.remove(other)
        self._busy += 1
        return [first, *others]

    def done(self, group: list[Ending], seconds: float) -> None:
        """Note that chunks have been handed in, and how long that took."""
        self._busy -= 1
        operation = group[0].chunk.operation
        one = seconds / len(group)
        known = self._seconds.get(operation, one)
        self._seconds[operation] = known + 0.3 * (one - known)

    def most_together(self, chunk: Chunk) -> int:
        """Return how many chunks of this kind may be handed in together, and claimed at once."""
        seconds = self._seconds.get(chunk.operation)
        if seconds is None:
            return 1
        return max(1, min(MAX_TOGETHER, int(MOMENT / max(seconds, 1e-9))))

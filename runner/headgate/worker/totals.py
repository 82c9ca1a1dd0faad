"""Counts of the work that a runner has done since it started."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from headgate.worker.reports import Report, Result


@dataclass(slots=True)
class Totals:
    """Counts of a runner's work."""

    chunks: int = 0
    """Chunks whose last job has been handed in."""
    lost: int = 0
    """Chunks that another runner took over, or that could not be handed in."""
    unreported: int = 0
    """Requests whose answers could not be handed in."""
    released: int = 0
    """Jobs released without having been started."""
    requests: int = 0
    jobs: Counter[str] = field(default_factory=Counter)
    """Jobs reported, by outcome."""

    def count(self, report: Result, *, is_last: bool) -> None:
        """Count the jobs of a report; those of a GroupLease count with its last report."""
        if isinstance(report, Report):
            self.jobs.update(report.outcomes)
        elif is_last:
            self.jobs[report.outcome] += len(report.asset_ids)
        self.requests += report.request_count

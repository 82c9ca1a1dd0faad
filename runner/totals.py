"""What a runner has done since it started."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from runner.chunks import Report, Verdict


@dataclass(slots=True)
class Totals:
    """Counts of a runner's work."""

    chunks: int = 0
    """Chunks handed in to their last job."""
    lost: int = 0
    """Chunks that somebody else took over, or that could not be handed in."""
    released: int = 0
    """Jobs given back without having been started."""
    requests: int = 0
    jobs: Counter[str] = field(default_factory=Counter)
    """Jobs reported, by outcome."""

    def count(self, report: Report | Verdict) -> None:
        """Add jobs that were reported."""
        if isinstance(report, Verdict):
            self.jobs[report.outcome] += len(report)
        else:
            self.jobs.update(report.outcomes)
            self.requests += sum(report.requests)

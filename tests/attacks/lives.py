"""Model in Python of the SQL API: leases held, units spent, payloads ingested.

The model knows only its own calls and what a caller sees: returned rows and errors.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

from tests.plan import Row

UNITS = {"look": 1, "open": 10, "history": 1, "update": 1, "sum": 0}


@dataclass(slots=True)
class Token:
    """A lease as known to its holder."""

    chunk_id: int
    lease_no: int
    runner: str
    pipeline: str
    run_id: str
    operation: str
    asset_ids: list[int]
    window: datetime
    is_late: bool = False
    """Whether the lease has expired; another runner may hold the chunk now."""

    @property
    def unit(self) -> int:
        """Return the units of one job."""
        return UNITS[self.operation]

    @property
    def row(self) -> Row:
        """Return the values that a report needs."""
        return {
            "chunk_id": self.chunk_id,
            "lease_no": self.lease_no,
            "asset_ids": list(self.asset_ids),
        }


@dataclass(slots=True)
class Model:
    """The expected state of the database."""

    held: dict[int, Token] = field(default_factory=dict)
    superseded: list[Token] = field(default_factory=list)
    highest: Counter[int] = field(default_factory=Counter)
    """The highest lease number of each chunk."""
    spent: Counter[datetime] = field(default_factory=Counter)
    effects: Counter[tuple[int, str]] = field(default_factory=Counter)
    """Expected number of ingestions of each job's payload."""
    open: set[tuple[str, str]] = field(default_factory=set)
    """Pipelines and run ids of runs that have not been ended."""
    over: set[tuple[str, str]] = field(default_factory=set)
    paused: set[str] = field(default_factory=set)
    blocked_until: datetime | None = None

    def claimed(self, chunk: Row, runner: str, window: datetime) -> Token:
        """Record a granted lease, and check that it was allowed to be granted."""
        token = Token(
            chunk["chunk_id"], chunk["lease_no"], runner, chunk["pipeline"], chunk["run_id"],
            chunk["operation"], list(chunk["asset_ids"]), window,
        )  # fmt: skip
        before = self.held.get(token.chunk_id)
        assert before is None or before.is_late, f"{token} was taken from {before}"
        assert token.lease_no > self.highest[token.chunk_id], f"{token} is no new lease"
        assert token.pipeline not in self.paused, f"{token} is of a paused pipeline"
        assert (token.pipeline, token.run_id) not in self.over, f"{token} is of a run that is over"
        for other in self.held.values():
            alike = other.operation == token.operation and not other.is_late
            assert not (alike and set(other.asset_ids) & set(token.asset_ids)), (other, token)
        if before is not None:
            self.superseded.append(before)
        self.held[token.chunk_id] = token
        self.highest[token.chunk_id] = token.lease_no
        self.spent[window] += token.unit * len(token.asset_ids)
        return token

    def lost(self, token: Token) -> None:
        """Record that a lease is no longer valid."""
        if self.held.get(token.chunk_id) is token:
            del self.held[token.chunk_id]
        self.superseded.append(token)

    def ended(self, pipeline: str, run_id: str) -> None:
        """Record that a run was ended."""
        self.open.discard((pipeline, run_id))
        self.over.add((pipeline, run_id))

"""What a model in Python expects of the SQL API: who holds which lease, what was spent, what is in.

The model is told only what a caller sees (rows returned, errors) and what it did itself.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

from tests.plan import Row

UNITS = {"look": 1, "open": 10, "history": 1, "update": 1, "sum": 0}


@dataclass(slots=True)
class Token:
    """A lease as its holder knows it."""

    chunk_id: int
    lease_no: int
    runner: str
    pipeline: str
    run_id: str
    operation: str
    asset_ids: list[int]
    window: datetime
    is_late: bool = False
    """Its time is over; somebody else may have it by now."""

    @property
    def unit(self) -> int:
        """Return what one of its jobs costs."""
        return UNITS[self.operation]

    @property
    def row(self) -> Row:
        """Return what a report needs."""
        return {
            "chunk_id": self.chunk_id,
            "lease_no": self.lease_no,
            "asset_ids": list(self.asset_ids),
        }


@dataclass(slots=True)
class Model:
    """The world as it must be."""

    held: dict[int, Token] = field(default_factory=dict)
    superseded: list[Token] = field(default_factory=list)
    highest: Counter[int] = field(default_factory=Counter)
    """The highest lease number of each chunk."""
    spent: Counter[datetime] = field(default_factory=Counter)
    effects: Counter[tuple[int, str]] = field(default_factory=Counter)
    """How often each job's payload must have been taken in."""
    open: set[tuple[str, str]] = field(default_factory=set)
    """Pipelines and run ids that nobody has ended."""
    over: set[tuple[str, str]] = field(default_factory=set)
    paused: set[str] = field(default_factory=set)
    blocked_until: datetime | None = None

    def claimed(self, chunk: Row, runner: str, window: datetime) -> Token:
        """Note a lease that was given, and what is true of one that may be given."""
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
        """Note that a lease is nobody's any more."""
        if self.held.get(token.chunk_id) is token:
            del self.held[token.chunk_id]
        self.superseded.append(token)

    def ended(self, pipeline: str, run_id: str) -> None:
        """Note that somebody has ended a run."""
        self.open.discard((pipeline, run_id))
        self.over.add((pipeline, run_id))

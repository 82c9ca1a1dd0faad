"""Faults on request, for a stand-in's next answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

KINDS: Final = ("status", "not_ok", "slow", "cut", "cut_after", "wrong_json", "text")


@dataclass(slots=True)
class Fault:
    """A fault that affects a number of answers.

    `status` answers an error, `not_ok` a 200 with "ok": false, `slow` a late answer, `wrong_json`
    half an answer, `text` an HTML page; `cut` drops the connection before the work is done,
    `cut_after` after it.
    """

    kind: str
    times: int = 1_000_000
    status: int = 500
    seconds: float = 0.0
    says: str = ""
    """Text of a `status` error; empty: a JSON body."""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"no fault {self.kind!r}; one of: {', '.join(KINDS)}")

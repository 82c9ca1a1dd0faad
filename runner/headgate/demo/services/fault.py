"""Faults on request: how a stand-in's next answers go wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

KINDS: Final = ("status", "not_ok", "slow", "cut", "cut_after", "wrong_json", "text")


@dataclass(slots=True)
class Fault:
    """One way to go wrong, so many times.

    `status` answers an error, `not_ok` a 200 that says "ok": false, `slow` late, `wrong_json` half
    an answer, `text` a page; `cut` drops the connection before the work is done, `cut_after` then.
    """

    kind: str
    times: int = 1_000_000
    status: int = 500
    seconds: float = 0.0
    says: str = ""
    """The text of an error, where it is not JSON."""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"no fault {self.kind!r}; one of: {', '.join(KINDS)}")

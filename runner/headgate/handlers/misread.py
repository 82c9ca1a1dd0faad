"""Which column of a CSV pyarrow cannot read."""

from __future__ import annotations

import re
from typing import Final

MISREAD: Final = re.compile(r"In CSV column #(\d+): (?:Row #\d+: )?(.*)", re.S)


def column_at_fault(said: str) -> tuple[int, str] | None:
    """Return a column's place, and what pyarrow says of its value; None if it names no column."""
    found = MISREAD.search(said)
    return None if found is None else (int(found[1]), found[2])

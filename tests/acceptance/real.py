"""Real data files, if HEADGATE_DATA names their folder."""

from __future__ import annotations

import csv
import gzip
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

FOLDER = Path(os.environ.get("HEADGATE_DATA") or "no folder")


def needs(*names: str) -> pytest.MarkDecorator:
    """Return a mark that skips a module's tests if one of the files is missing."""
    missing = [x for x in names if not (FOLDER / x).exists()]
    return pytest.mark.skipif(
        bool(missing), reason=f"HEADGATE_DATA does not name a folder that holds {missing}"
    )


def rows(name: str, folder: Path = FOLDER) -> Iterator[dict[str, str]]:
    """Yield a file's rows."""
    with gzip.open(folder / name, "rt", encoding="utf-8", newline="") as lines:
        yield from csv.DictReader(lines)

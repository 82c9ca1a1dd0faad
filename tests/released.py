"""Hashes of the migrations of released versions; `python -m tests.released` adds a version.

`db/released.sha256` has a heading for each version, followed by its new migrations in the format of
`sha256sum --check`. A listed file is never edited, moved or deleted: databases have applied it.
"""

from __future__ import annotations

import hashlib
import re
import sys
from pathlib import Path
from typing import Final

import headgate
from tests.docs import ROOT

DB: Final = ROOT / "db"
LIST: Final = "released.sha256"
LINE: Final = re.compile(r"([0-9a-f]{64})  (\S+\.sql)")


def versions(db: Path = DB) -> dict[str, dict[str, str]]:
    """Return each released version's migrations with their hashes. Raises ValueError."""
    found: dict[str, dict[str, str]] = {}
    for line in (db / LIST).read_text().splitlines():
        if line.startswith("# "):
            found[line.removeprefix("# ")] = {}
        elif (match := LINE.fullmatch(line)) and found:
            found[list(found)[-1]][match[2]] = match[1]
        else:
            raise ValueError(f"{LIST}: no version and no migration: {line!r}")
    return found


def hashes(db: Path = DB) -> dict[str, str]:
    """Return the current migrations of the core and of the shipped plans, with their hashes."""
    files = [*db.glob("migrations/*.sql"), *db.glob("plans/*/migrations/*.sql")]
    return {
        str(x.relative_to(db)): hashlib.sha256(x.read_bytes()).hexdigest() for x in sorted(files)
    }


def broken(db: Path = DB) -> list[str]:
    """Return messages on released migrations that were edited or are missing."""
    there = hashes(db)
    return [
        f"{path} of {version} " + ("was edited" if path in there else "is gone")
        for version, released in versions(db).items()
        for path, sha256 in released.items()
        if there.get(path) != sha256
    ]


def freeze(version: str, db: Path = DB) -> list[str]:
    """Add a version with its new migrations to the list; return them. Raises ValueError."""
    known = versions(db)
    if version in known:
        raise ValueError(f"{version} is frozen already")
    if complaints := broken(db):
        raise ValueError("; ".join(complaints))
    frozen = {path for released in known.values() for path in released}
    new = {path: sha256 for path, sha256 in hashes(db).items() if path not in frozen}
    with (db / LIST).open("a") as file:
        file.write(f"# {version}\n")
        file.writelines(f"{sha256}  {path}\n" for path, sha256 in new.items())
    return list(new)


if __name__ == "__main__":
    try:
        print(f"{headgate.__version__}: {len(freeze(headgate.__version__))} migrations are frozen")
    except ValueError as exc:
        sys.exit(f"error: {exc}")

"""What the environment says, read once."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict

from runner.errors import InvalidValue

DATABASE = "headgate"
PACKAGE = Path(__file__).resolve().parent
UNITS: Final = {"kb": 1024, "mb": 1024**2, "gb": 1024**3}
DEFAULT_BUFFER: Final = 256 * UNITS["mb"]
SMALLEST_BUFFER: Final = UNITS["mb"]


@dataclass(frozen=True, slots=True)
class Settings:
    """Where the database is, and where our own files are."""

    dsn: str | None
    """A server of the user's own; None means the embedded one."""
    database: str
    home: Path
    """The embedded server's folder: its data, its log, the passwords of its roles."""
    db: Path
    """The folder with the SQL: migrations, functions, views, grants, plans."""
    lock_timeout: str = "5s"
    """How long `migrate` waits for a table that somebody else has locked."""
    max_buffer: int = DEFAULT_BUFFER
    """Bytes of answers that one worker holds at once."""

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> Settings:
        """Read HEADGATE_ and: DSN, DATABASE, HOME, DB (the folder), LOCK_TIMEOUT, MAX_BUFFER."""
        env = os.environ if environ is None else environ
        dsn = env.get("HEADGATE_DSN") or None
        buffer = env.get("HEADGATE_MAX_BUFFER")
        named = _database_of(dsn)  # a string that cannot be read is refused in any case
        return cls(
            dsn=dsn,
            database=env.get("HEADGATE_DATABASE") or named,
            home=_absolute(env.get("HEADGATE_HOME")) or _root() / ".headgate",
            db=_absolute(env.get("HEADGATE_DB")) or _db_folder(),
            lock_timeout=env.get("HEADGATE_LOCK_TIMEOUT") or "5s",
            max_buffer=bytes_of(buffer) if buffer else DEFAULT_BUFFER,
        )

    def with_database(self, database: str) -> Settings:
        """Return the same settings for another database of the server."""
        return replace(self, database=database)


def bytes_of(size: str) -> int:
    """Read a size as PostgreSQL writes it, 256MB. Raises InvalidValue."""
    found = re.fullmatch(r"([0-9]{1,9})\s*(kB|MB|GB)", size.strip(), re.IGNORECASE)
    count = int(found[1]) * UNITS[found[2].lower()] if found else 0
    if count < SMALLEST_BUFFER:
        raise InvalidValue(
            f"{size!r} is not a size of a buffer", hint="a number and its unit, from 1MB on: 256MB"
        )
    return count


def _database_of(dsn: str | None) -> str:
    if dsn is None:
        return DATABASE
    wrong = InvalidValue(
        "HEADGATE_DSN is not a connection string",
        hint="for example: postgresql://user:password@host:5432/headgate "
        "(write @ : / ? # in the password as %40 %3A %2F %3F %23)",
    )
    try:
        parts = conninfo_to_dict(dsn)
    except ProgrammingError:
        raise wrong from None  # libpq's message quotes the string, and with it the password
    if not str(parts.get("port") or "").replace(",", "").isdecimal() and parts.get("port"):
        raise wrong  # a slash in the password makes a host and a port of its first part
    return str(parts.get("dbname") or DATABASE)


def _absolute(path: str | None) -> Path | None:
    return Path(path).expanduser().resolve() if path else None


def _root() -> Path:
    """Return the checkout we run from, or the current folder when installed as a wheel."""
    return PACKAGE.parent if (PACKAGE.parent / "pyproject.toml").exists() else Path.cwd()


def _db_folder() -> Path:
    packaged = PACKAGE / "db"
    return packaged if packaged.exists() else PACKAGE.parent / "db"

"""PostgreSQL's client programs on this machine, and the ones that fit a server.

There may be several: the embedded server's, those on the path, and those that distributions install
in one folder per version. Dumps are best written and read by the server's own version.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from headgate.conninfo import ELSEWHERE, describe
from headgate.database import dsn_of
from headgate.embedded import binaries
from headgate.errors import ServerError, ServerMissing
from headgate.settings import Settings

FOLDERS: Final = ("usr/lib/postgresql/*/bin", "usr/pgsql-*/bin")
"""Folders of Debian's and Red Hat's packages, one per version."""
SETS_TIMEOUTS: Final = 17
"""From this version on pg_restore sets a timeout that older servers do not know."""


def any_client(name: str, settings: Settings) -> Path:
    """Return the embedded server's program, or any other installed one. Raises ServerError."""
    for path in _installed(name):
        return path
    where = describe(dsn_of(settings))
    raise ServerError(
        f"cannot open {where}: {name} is not installed", hint="install a PostgreSQL client"
    )


def fitting_client(name: str, server: int) -> Path:
    """Return the program of the server's major version, or the next newer one that fits.

    Raises ServerError if there is none.
    """
    found = {_major(path): path for path in _installed(name)}
    fit = sorted(x for x in found if _fits(name, x, server))
    if fit:
        return found[fit[0]]
    there = ", ".join(str(x) for x in sorted(found) if x) or "none"
    raise ServerError(
        f"there is no {name} for a server of PostgreSQL {server}; there is: {there}",
        hint=f"install the client of PostgreSQL {server} (Debian: postgresql-client-{server})",
    )


def client_connection(settings: Settings) -> tuple[str, dict[str, str]]:
    """Return a connection string without its password, and an environment with the password.

    An argument would be visible in the process list.
    """
    parts = conninfo_to_dict(dsn_of(settings))
    environ = dict(os.environ)
    if settings.dsn is None:  # PG* variables must not redirect the embedded server's address
        environ = {x: y for x, y in environ.items() if x not in ELSEWHERE}
    if password := parts.pop("password", None):
        environ["PGPASSWORD"] = str(password)
    return make_conninfo("", **parts), environ


def _fits(name: str, client: int, server: int) -> bool:
    """Return whether a client fits: not older than the server, and pg_restore's SQL understood."""
    if client < server:
        return False
    return name != "pg_restore" or client < SETS_TIMEOUTS or server >= SETS_TIMEOUTS


def _installed(name: str) -> Iterator[Path]:
    try:
        yield binaries() / name
    except ServerMissing:
        pass
    on_path = shutil.which(name)
    if on_path is not None:
        yield Path(on_path)
    for pattern in FOLDERS:
        yield from (x / name for x in sorted(Path("/").glob(pattern)) if (x / name).exists())


def _major(program: Path) -> int:
    """Return a program's major version; 0 if unknown."""
    said = subprocess.run(
        [str(program), "--version"], stdin=subprocess.DEVNULL, capture_output=True, text=True
    ).stdout
    found = re.search(r"\(PostgreSQL\) (\d+)", said)
    return int(found[1]) if found else 0

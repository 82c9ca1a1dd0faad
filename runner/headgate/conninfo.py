"""Connection strings as libpq reads them: the string, then a service file, then PG* variables."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from psycopg import pq
from psycopg.conninfo import conninfo_to_dict, make_conninfo

SERVICE: Final = {"service": "PGSERVICE", "servicefile": "PGSERVICEFILE"}
ELSEWHERE: Final = {"PGSERVICE": "service", "PGHOST": "host", "PGHOSTADDR": "hostaddr"}
"""Variables by which libpq chooses a server, and how a string names the same one."""


def defaults() -> dict[str, str]:
    """Return what libpq takes where a string says nothing: PGSERVICE's entries, PG* variables."""
    found = pq.Conninfo.get_defaults()
    return {x.keyword.decode(): x.val.decode() for x in found if x.val}


def effective(conninfo: str) -> dict[str, str]:
    """Return what a string says, over what libpq takes where it says nothing."""
    given = conninfo_to_dict(conninfo)
    return defaults() | {name: str(value) for name, value in given.items() if value is not None}


def without_service(conninfo: str) -> str:
    """Return the string with the entries of the service that it names written out.

    libpq itself reads the service file. Call it before there are threads: it sets variables.
    """
    given = conninfo_to_dict(conninfo)
    named = {variable: str(given.pop(x)) for x, variable in SERVICE.items() if x in given}
    if not named:
        return conninfo
    before = defaults()
    with _environment(named):
        entries = {x: y for x, y in defaults().items() if before.get(x) != y and x not in SERVICE}
    if not entries:
        return conninfo  # it is not there: libpq says so when it connects
    return make_conninfo("", **(entries | given))


def describe(conninfo: str) -> str:
    """Name host, port and database of a connection string, and nothing secret."""
    given = conninfo_to_dict(conninfo)
    parts = effective(conninfo)
    host = parts.get("host") or parts.get("hostaddr")
    if host is None:
        host = f"service {given['service']}" if "service" in given else "the local socket"
    is_usual = parts.get("port") == "5432" and "port" not in given
    port = f":{parts['port']}" if parts.get("port") and not is_usual else ""
    return f"database {parts.get('dbname', '')!r} at {host}{port}"


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    kept = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in kept.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value

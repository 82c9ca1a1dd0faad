"""Connection strings resolved like libpq: the string, then a service file, then PG* variables."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from psycopg import pq
from psycopg.conninfo import conninfo_to_dict, make_conninfo

SERVICE: Final = {"service": "PGSERVICE", "servicefile": "PGSERVICEFILE"}
ELSEWHERE: Final = {"PGSERVICE": "service", "PGHOST": "host", "PGHOSTADDR": "hostaddr"}
"""Variables from which libpq chooses a server, and the connection parameter that each one sets."""


def defaults() -> dict[str, str]:
    """Return libpq's defaults for an empty string: the entries of PGSERVICE, and PG* variables."""
    found = pq.Conninfo.get_defaults()
    return {x.keyword.decode(): x.val.decode() for x in found if x.val}


def effective(conninfo: str) -> dict[str, str]:
    """Return the parameters of a connection string, completed by libpq's defaults."""
    given = conninfo_to_dict(conninfo)
    return defaults() | {name: str(value) for name, value in given.items() if value is not None}


def without_service(conninfo: str) -> str:
    """Return the connection string with the entries of its service written out.

    libpq itself reads the service file. Call this before threads start: it sets environment
    variables for a moment.
    """
    given = conninfo_to_dict(conninfo)
    named = {variable: str(given.pop(x)) for x, variable in SERVICE.items() if x in given}
    if not named:
        return conninfo
    before = defaults()
    with _environment(named):
        entries = {x: y for x, y in defaults().items() if before.get(x) != y and x not in SERVICE}
    if not entries:
        return conninfo  # unknown service: libpq reports it on connecting
    return make_conninfo("", **(entries | given))


def describe(conninfo: str) -> str:
    """Return database, host and port of a connection string as text, without secrets."""
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

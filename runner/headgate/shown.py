"""Cleaning of errors and logs: no secrets, no invisible characters, no unlimited length.

This module knows every secret that the process has read. All text that a runner stores or logs
passes through it.
"""

from __future__ import annotations

import contextlib
import logging
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict

from headgate.escapes import Bytes
from headgate.redaction import Redactor, Uncleared

LONGEST_ERROR: Final = 2_000
"""Number of characters kept of an error."""
DSNS: Final = ("HEADGATE_DSN", "HEADGATE_LISTEN_DSN")

_SPACE: Final = re.compile(r"[ \t\r\n]+")
_known: Final[dict[str, Redactor]] = {}


def visible(text: str) -> str:
    """Return a text on one line, with invisible and direction-changing characters escaped."""
    text = " ".join(_SPACE.split(text.strip(" \t\r\n")))
    if text.isprintable():
        return text
    return "".join(x if x.isprintable() else _written(x) for x in text)


def learn(secret: str) -> Redactor:
    """Return the redactor of a secret, and redact the secret from errors and logs from now on."""
    redactor = _known.get(secret)
    if redactor is None:
        redactor = _known[secret] = Redactor(secret)
        redacted.cache_clear()
    return redactor


def learn_passwords(environ: Mapping[str, str]) -> None:
    """Learn the passwords with which this process logs into its database."""
    passwords = [environ.get("PGPASSWORD")]
    for name in DSNS:
        with contextlib.suppress(ProgrammingError):
            passwords.append(str(conninfo_to_dict(environ.get(name, "")).get("password") or ""))
    for password in filter(None, passwords):
        learn(password)


@lru_cache(maxsize=1024)
def redacted(text: str, *, cut_before: bool = False, cut_after: bool = False) -> str:
    """Return a text that is safe to store and log: without secrets, on one line, shortened.

    `cut_before` and `cut_after` say that the text was cut there; see `Redactor.clear`.
    """
    data: Bytes = text.encode(errors="backslashreplace")
    try:
        for redactor in tuple(_known.values()):
            data = redactor.clear(data, cut_before=cut_before, cut_after=cut_after)
    except Uncleared as exc:
        return str(exc)
    return visible(data.decode(errors="replace"))[:LONGEST_ERROR]


class Redacting(logging.Filter):
    """Logging filter that removes the process's secrets from messages and tracebacks."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Redact the record's text; every record is still logged."""
        record.msg, record.args = cleared(record.getMessage()), None
        if record.exc_info and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        if record.exc_text:
            record.exc_text = cleared(record.exc_text)
        return True


def cleared(text: str) -> str:
    """Return a text of several lines without secrets."""
    data: Bytes = text.encode(errors="backslashreplace")
    try:
        for redactor in tuple(_known.values()):
            data = redactor.clear(data)
    except Uncleared as exc:
        return str(exc)
    return "".join(
        x if x.isprintable() or x in "\n\t" else _written(x) for x in data.decode(errors="replace")
    )


def _written(char: str) -> str:
    return char.encode("unicode_escape").decode()

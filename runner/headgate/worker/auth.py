"""Where a request carries its secret, and which headers can be sent."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from typing import Any, Final

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from headgate.errors import SecretMissing, WrongPlan
from headgate.secret_files import advice, require_secret, secret_of
from headgate.shown import learn

HEADER_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
FRAMING: Final = frozenset(
    ("connection", "content-length", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade")
)
"""Headers that frame a message on its connection: only the HTTP client sets them."""


@dataclass(frozen=True, slots=True)
class Auth:
    """Where a request carries the secret, and the name of the secret."""

    place: str = "none"
    name: str = ""
    variable: str = ""

    def secret(self) -> str:
        """Return the secret as it is now. Raises SecretMissing."""
        if self.place == "none":
            return ""
        if self.place == "dsn":
            return self._dsn()
        secret = require_secret(self.variable)
        if not secret.isprintable():
            raise SecretMissing(
                f"the secret {self.variable} holds no secret", hint=advice(self.variable)
            )
        return secret

    @property
    def fingerprint(self) -> str:
        """Return 16 bits of the secret's hash: they tell it from others and do not give it away."""
        secret = secret_of(self.variable)
        return hashlib.sha256(secret.encode()).hexdigest()[:4]

    def _dsn(self) -> str:
        """Return a database's connection string, and have its secrets redacted from now on."""
        dsn = require_secret(self.variable, more="; it is the database's DSN")
        try:
            parts = conninfo_to_dict(dsn)
        except ProgrammingError:
            parts = {}
        if not parts.get("dbname") or not (parts.get("host") or parts.get("hostaddr")):
            raise SecretMissing(
                f"the secret {self.variable} holds no connection string with host and database",
                hint="postgresql://user:password@host/database",
            )
        learn(dsn)
        if parts.get("password"):
            learn(str(parts["password"]))
        own = {"password": "", "passfile": f"{os.devnull}/none"}  # not our own database's password
        return make_conninfo(dsn, **{x: y for x, y in own.items() if x not in parts})


def header(name: str, value: Any) -> tuple[str, str]:
    """Return a header's name and text. Raises WrongPlan if it could break the message's framing."""
    text = str(value)
    if (
        not HEADER_NAME.fullmatch(name)
        or name.lower() in FRAMING
        or not text.replace("\t", "").isprintable()
    ):
        raise WrongPlan(
            f"the header {name!r} cannot be sent",
            hint="a header is a name and one line of text, and says nothing of the body's length",
        )
    return name, text

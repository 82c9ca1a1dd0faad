"""Certificate authorities of a test's own."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Authority:
    """Issues certificates, which nobody trusts who was not given its file."""

    ca: Any
    """Of trustme."""
    folder: Path

    def file(self) -> Path:
        """Write the authority's own certificate; return its path."""
        path = self.folder / f"{id(self)}.pem"
        self.ca.cert_pem.write_to_path(str(path))
        return path

    def pem(self, name: str) -> bytes:
        """Return a certificate for a server's name or address, with its key."""
        found: bytes = self.ca.issue_cert(name).private_key_and_cert_chain_pem.bytes()
        return found

    def context(self, name: str) -> ssl.SSLContext:
        """Return the context of a server with a certificate for that name."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.ca.issue_cert(name).configure_cert(context)
        return context

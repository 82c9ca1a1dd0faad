"""The embedded PostgreSQL 18, for machines without a server."""

from headgate.embedded.server import SUPERUSER, Server, binaries

__all__ = ["SUPERUSER", "Server", "binaries"]

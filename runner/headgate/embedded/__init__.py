"""The embedded PostgreSQL 18, for machines without a server."""

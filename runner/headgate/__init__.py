"""Command line and runner of Headgate: migrates the database, runs chunks, reports on runs."""

__version__ = "0.1.0"
"""The only place of the version: pyproject.toml reads it from this line."""

PROTOCOL = 3
"""What this version's runners call in the database; docs/operations.md says when it is raised."""

"""Headgate's hands: migrate the database, run its chunks, show what it knows."""

__version__ = "0.1.0"
"""The version, which is nowhere else: pyproject.toml reads it from this line."""

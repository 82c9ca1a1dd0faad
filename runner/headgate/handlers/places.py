"""Finds where a function is that a plan names, among the entry points of all that is installed.

Only the runner looks, once for all of its processes: what reads entry points takes as long to
import as a tenth of all that a handler's process does before its first task.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.metadata import entry_points


@lru_cache(maxsize=64)
def place_of(group: str, name: str) -> str:
    """Return the place of an entry point as module:function; any other name is a place itself."""
    for entry in entry_points(group=group, name=name):
        return f"{entry.module}:{entry.attr}"
    return name


def known_names(group: str) -> list[str]:
    """Return the names of all entry points of a group."""
    return sorted(entry_points(group=group).names)

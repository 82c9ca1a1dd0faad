"""The memory of this process, as the system reports it."""

from __future__ import annotations

import resource
from typing import Final

STATUS: Final = "/proc/self/status"


def resident_bytes() -> int | None:
    """Return the current memory in bytes; None if the system does not report it."""
    return _reported("VmRSS:")


def peak_bytes() -> int:
    """Return the peak memory in bytes.

    The fallback, getrusage, includes that of the process that started this one.
    """
    return _reported("VmHWM:") or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _reported(name: str) -> int | None:
    try:
        with open(STATUS) as file:
            return next(int(x.split()[1]) * 1024 for x in file if x.startswith(name))
    except (OSError, StopIteration):
        return None

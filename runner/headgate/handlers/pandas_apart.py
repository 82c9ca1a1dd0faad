"""Keeps pandas out of processes that need pyarrow alone: 0.2 s and 55 MB of each.

Asked for its first array of Python's values, pyarrow imports pandas, if it is installed, to know a
frame if it sees one. The shipped handlers give it none; those of plans may.
"""

from __future__ import annotations

import contextlib
import sys
from typing import Final

OURS: Final = "headgate."
WITH_ARROW: Final = tuple(f"headgate.handlers.{x}." for x in ("export", "load", "records"))


class _NotHere:
    """Finds no pandas."""

    @staticmethod
    def find_spec(name: str, *_: object) -> None:
        """Raise ModuleNotFoundError for pandas."""
        if name == "pandas":
            raise ModuleNotFoundError("pandas is kept apart", name="pandas")


_is_apart = False


def keep_apart(place: str) -> None:
    """Have pyarrow do without pandas for a shipped function that uses it; not for a plan's."""
    if not place.startswith(OURS):
        _let_in()
    elif place.startswith(WITH_ARROW) and "pandas" not in sys.modules:
        _keep_out()


def _keep_out() -> None:
    """Let pyarrow look for pandas, which it does once, while there is none."""
    global _is_apart
    if _is_apart:
        return
    try:
        import pyarrow
    except ModuleNotFoundError:  # the handler will say so
        return
    sys.meta_path.insert(0, _NotHere)
    try:
        pyarrow.scalar(0)
    finally:
        sys.meta_path.remove(_NotHere)
    _is_apart = True


def _let_in() -> None:
    """Let pyarrow look for pandas again, as it does for who wants a frame."""
    global _is_apart
    if _is_apart:
        import pyarrow

        with contextlib.suppress(ModuleNotFoundError):
            pyarrow.array([]).to_pandas()
        _is_apart = False

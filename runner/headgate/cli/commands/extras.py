"""Libraries that only some commands need."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from headgate.errors import HeadgateError


@contextmanager
def needs_extra(extra: str) -> Iterator[None]:
    """Raise HeadgateError with the pip command if an import in the block fails."""
    try:
        yield
    except ModuleNotFoundError as exc:
        hint = f"pip install 'headgate[{extra}]'"
        raise HeadgateError(f"{exc.name} is not installed", hint=hint) from exc

"""Loads functions that plans name: handlers and parsers, as entry point or module:function."""

from __future__ import annotations

import importlib
import inspect
import json
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from operator import attrgetter
from typing import Any, Final

from headgate.errors import WrongPlan

LONGEST_SAID: Final = 16_384
"""Characters of an error message that a process sends: many more than are kept."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of function that plans name, and a phrase for the argument that it is given."""

    name: str
    given: str

    @property
    def group(self) -> str:
        """Return the group of entry points that holds the short names."""
        return f"headgate.{self.name}s"


HANDLER: Final = Kind("handler", "a chunk")
PARSER: Final = Kind("parser", "a document")


@lru_cache(maxsize=64)
def find(kind: Kind, name: str, place: str = "") -> Callable[[Any], Any]:
    """Return the function of this name: an entry point, or module:function. Raises WrongPlan.

    `place` is what `place_of` has returned, if it was asked before.
    """
    try:
        return _checked(kind, name, _load(kind, name, place))
    except (ImportError, AttributeError) as exc:
        raise WrongPlan(f"there is no {kind.name} {name!r}: {type(exc).__name__}: {exc}") from exc
    except WrongPlan:
        raise
    except Exception as exc:
        raise WrongPlan(f"the {kind.name} {name!r} cannot be loaded: {told(exc)}") from exc


def _load(kind: Kind, name: str, place: str) -> Any:
    if not place:
        from headgate.handlers.places import place_of  # it imports a lot

        place = place_of(kind.group, name)
    module, separator, attribute = place.partition(":")
    if not separator:
        module, _, attribute = place.rpartition(".")
    if not module or not attribute:
        raise WrongPlan(_unknown(kind, name))
    return attrgetter(attribute)(importlib.import_module(module))


def told(exc: Exception) -> str:
    """Return an exception's type and message, and where it was raised."""
    frames = traceback.extract_tb(exc.__traceback__)
    where = f" ({frames[-1].name}, line {frames[-1].lineno})" if frames else ""
    return f"{type(exc).__name__}: {bounded(exc)}{where}"


def bounded(said: object) -> str:
    """Return a function's message on one line; the worker redacts and shortens it."""
    return " ".join(str(said).replace("\0", " ").split())[:LONGEST_SAID]


def _unknown(kind: Kind, name: str) -> str:
    """Return a message for an unknown name: known entry points, and what else may be named."""
    from difflib import get_close_matches

    from headgate.handlers.places import known_names

    known = known_names(kind.group)
    near = get_close_matches(name, known, 1)
    guess = f" Did you mean {near[0]!r}?" if near else ""
    return (
        f"there is no {kind.name} {name!r} among the entry points of {kind.group}.{guess} "
        f"Installed: {', '.join(known) or 'none'}. Name any other function as module:function, "
        "or install the package that has the entry point, and restart the worker."
    )


def _checked(kind: Kind, name: str, found: Any) -> Callable[[Any], Any]:
    """Return the function. Raises WrongPlan if it cannot be called with one argument."""
    try:
        inspect.signature(found).bind(None)
    except (TypeError, ValueError) as exc:
        raise WrongPlan(
            f"the {kind.name} {name!r} cannot be called with {kind.given} alone: {exc}"
        ) from exc
    function: Callable[[Any], Any] = found
    return function


def as_json(value: Any, default: Callable[[Any], Any] | None = None) -> str:
    """Return what a function gave back as JSON that PostgreSQL takes. Raises ValueError."""
    try:
        text = json.dumps(value, allow_nan=False, ensure_ascii=False, default=default)
        text.encode()
    except (TypeError, ValueError) as exc:
        raise ValueError(f"is not JSON: {exc}") from exc
    if "\\u0000" in text:
        raise ValueError("holds a NUL character")
    return text

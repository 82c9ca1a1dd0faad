"""Functions that plans name: handlers and parsers, by entry point or as module:function."""

from __future__ import annotations

import importlib
import inspect
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from importlib.metadata import entry_points
from typing import Any, Final

from headgate.errors import WrongPlan

LONGEST_SAID: Final = 16_384
"""Characters of an error that a process sends: many more than are kept of it."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What the functions are called, where their short names are, and what each is given."""

    name: str
    given: str

    @property
    def group(self) -> str:
        """Return the group of entry points."""
        return f"headgate.{self.name}s"


HANDLER: Final = Kind("handler", "a chunk")
PARSER: Final = Kind("parser", "a document")


@lru_cache(maxsize=64)
def find(kind: Kind, name: str) -> Callable[[Any], Any]:
    """Return the function of this name: an entry point, or module:function; raises WrongPlan."""
    try:
        for entry in entry_points(group=kind.group, name=name):
            return _checked(kind, name, entry.load())
        module, separator, attribute = name.partition(":")
        if not separator:
            module, _, attribute = name.rpartition(".")
        if not module or not attribute:
            raise WrongPlan(_unknown(kind, name))
        return _checked(kind, name, getattr(importlib.import_module(module), attribute))
    except (ImportError, AttributeError) as exc:
        raise WrongPlan(f"there is no {kind.name} {name!r}: {type(exc).__name__}: {exc}") from exc
    except WrongPlan:
        raise
    except Exception as exc:
        raise WrongPlan(f"the {kind.name} {name!r} cannot be loaded: {told(exc)}") from exc


def told(exc: Exception) -> str:
    """Name an exception and where it was raised."""
    frames = traceback.extract_tb(exc.__traceback__)
    where = f" ({frames[-1].name}, line {frames[-1].lineno})" if frames else ""
    return f"{type(exc).__name__}: {bounded(exc)}{where}"


def bounded(said: object) -> str:
    """Return what a function says, on one line; the worker clears and cuts it."""
    return " ".join(str(said).replace("\0", " ").split())[:LONGEST_SAID]


def _unknown(kind: Kind, name: str) -> str:
    """Say that no entry point has the name, which ones there are, and what else may be named."""
    known = sorted(entry_points(group=kind.group).names)
    near = get_close_matches(name, known, 1)
    guess = f" Did you mean {near[0]!r}?" if near else ""
    return (
        f"there is no {kind.name} {name!r} among the entry points of {kind.group}.{guess} "
        f"Installed: {', '.join(known) or 'none'}. Name any other function as module:function, "
        "or install the package that has the entry point, and restart the worker."
    )


def _checked(kind: Kind, name: str, found: Any) -> Callable[[Any], Any]:
    """Return it if it can be called with what it is given."""
    try:
        inspect.signature(found).bind(None)
    except (TypeError, ValueError) as exc:
        raise WrongPlan(
            f"the {kind.name} {name!r} cannot be called with {kind.given} alone: {exc}"
        ) from exc
    function: Callable[[Any], Any] = found
    return function

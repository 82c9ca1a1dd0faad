"""A page: its address, its template, and what it reads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias
from urllib.parse import quote

from aiohttp import web
from psycopg import Connection
from psycopg.rows import DictRow

Load: TypeAlias = Callable[[Connection[DictRow], web.Request], Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Page:
    """A page; `load` returns the values of its template, within one read-only transaction.

    An error of class HG that `load` raises becomes a page that says it, with its hint.
    """

    path: str
    """As aiohttp's routes have it: `/runs/{pipeline}/{run_id:.+}`."""
    template: str
    load: Load
    menu: str | None = None
    """Its name in the menu; None: other pages link to it."""


def link(base: str, *names: str) -> str:
    """Return the address of a page that ends in names, which may hold any characters."""
    return "/".join((base, *(quote(x, safe="") for x in names)))

"""Stand-in for JSONPlaceholder, with the original posts, users and comments."""

from __future__ import annotations

import gzip
import json
from functools import cache
from importlib.resources import files
from typing import Any

from headgate.demo.services.stand_in import StandIn


def jsonplaceholder() -> StandIn:
    """Return the stand-in, which serves GET /posts, /users and /comments."""
    lists = {("GET", f"/{name}"): lambda _, name=name: records()[name] for name in records()}
    return StandIn("jsonplaceholder", lists)


@cache
def records() -> dict[str, list[dict[str, Any]]]:
    """Return all records by the name of their list."""
    packed = files(__package__).joinpath("data", "jsonplaceholder.json.gz").read_bytes()
    lists: dict[str, list[dict[str, Any]]] = json.loads(gzip.decompress(packed))
    return lists

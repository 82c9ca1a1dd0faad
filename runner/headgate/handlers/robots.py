"""Reads robots.txt (RFC 9309): its rules for Headgate become rows, with which SQL matches paths."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from math import isfinite
from typing import Any, Final

from headgate.handlers.addresses import IN_PATHS, escaped
from headgate.handlers.document import Document

OURS: Final = "headgate"
"""Headgate's user agent in robots.txt."""
LARGEST: Final = 512_000
"""Number of bytes read; the RFC requires at least 500 KiB."""
PRODUCT: Final = re.compile(r"[a-z_-]+|\*", re.IGNORECASE)
RULES: Final = ("allow", "disallow", "crawl-delay")


def parse_robots(document: Document) -> dict[str, Any]:
    """Return the rules for Headgate: allowed and disallowed path patterns, and the crawl delay.

    These are the rules of all groups that name Headgate or, if there is none, of all groups for
    `*`.
    """
    groups: dict[str, list[tuple[str, str]]] = {}
    named: list[str] = []
    has_rules = False
    for key, value in _lines(document):
        if key == "user-agent":
            if has_rules:
                named, has_rules = [], False
            if product := PRODUCT.match(value):
                named.append(product[0].lower())
                groups.setdefault(named[-1], [])
        elif key in RULES:
            has_rules = True
            for name in named:
                groups[name].append((key, value))
    return _rules(groups.get(OURS, groups.get("*", [])))


def _lines(document: Document) -> Iterator[tuple[str, str]]:
    text = document.data()[:LARGEST].decode("utf-8-sig", "replace").replace("\0", "")
    for line in re.split(r"[\r\n]+", text):
        key, colon, value = line.partition("#")[0].partition(":")
        if colon:
            yield key.strip().lower(), value.strip()


def _rules(lines: list[tuple[str, str]]) -> dict[str, Any]:
    delay = None
    rules: dict[tuple[str, bool], None] = {}
    for key, value in lines:
        if key == "crawl-delay":
            with suppress(ValueError):
                delay = max(delay or 0.0, _seconds(value))
        elif value.startswith(("/", "*")):
            rules[escaped(value, IN_PATHS + "?"), key == "allow"] = None
    told = [{"pattern": pattern, "is_allowed": is_allowed} for pattern, is_allowed in rules]
    return {"rules": told, "crawl_delay": delay}


def _seconds(value: str) -> float:
    seconds = float(value)
    if not isfinite(seconds) or seconds < 0:
        raise ValueError(value)
    return min(seconds, 86_400.0)

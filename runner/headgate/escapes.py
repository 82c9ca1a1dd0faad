"""Unescaping of text layer by layer: URL, JSON-like and HTML escapes.

A layer maps its bytes back to the original text, so that a match found in unescaped text can be
removed from the original.
"""

from __future__ import annotations

import re
import sys
from bisect import bisect_right
from functools import lru_cache
from html import unescape as unescape_html
from html.entities import html5
from typing import Final, TypeAlias

Bytes: TypeAlias = bytes | bytearray

WIDEST_ESCAPE: Final = 24
"""Length of the longest escape, in bytes."""
SIGNS: Final = (b"%", b"\\", b"&")
"""First characters of escapes."""
_SHORT_NAMES: Final = ("amp", "lt", "gt", "quot")
_NAMES: Final = "|".join(
    sorted(
        name[:-1]
        for name, char in html5.items()
        if name.endswith(";") and len(char) == 1 and char.isascii() and char.isprintable()
    )
)
_ASCII: Final = (
    r"%[2-7][0-9A-Fa-f]"
    r"|\\(?:[\"'/\\&]|(?:x|u00|U000000)[2-7][0-9A-Fa-f]|u\{0{0,4}[2-7][0-9A-Fa-f]\})"
    r"|&(?:#0{0,7}(?:3[2-9]|[4-9][0-9]|1[01][0-9]|12[0-6])(?![0-9])"
    r"|#[xX]0{0,7}[2-7][0-9A-Fa-f](?![0-9A-Fa-f])"
    rf"|{'|'.join(_SHORT_NAMES)});?"
    rf"|&(?:{_NAMES});"
)
_ANY: Final = (
    rf"{_ASCII}|%[0-9A-Fa-f]{{2}}"
    r"|\\u[dD][89abAB][0-9A-Fa-f]{2}\\u[dD][c-fC-F][0-9A-Fa-f]{2}"
    r"|\\(?:x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|u\{[0-9A-Fa-f]{1,6}\})"
    r"|&#(?:[0-9]{1,7}|[xX][0-9A-Fa-f]{1,6});?"
)
ASCII_ESCAPE: Final = re.compile(_ASCII.encode())
ESCAPE: Final = re.compile(_ANY.encode())
HALF_ESCAPE: Final = re.compile(
    rb"(?:%[0-9A-Fa-f]?|\\(?:[xuU]\{?[0-9A-Fa-f]{0,7})?|&(?:#[xX]?[0-9A-Fa-f]{0,7}|[A-Za-z]{0,8}))\Z"
)


class Layer:
    """A text with some levels of escapes undone, mapped back to the original text."""

    def __init__(self, data: Bytes, above: Layer | None = None) -> None:
        self.data = data
        self._above = above
        self._starts: list[int] = [0]
        """Offsets at which runs and escapes alternate, in this layer and in the one above."""
        self._starts_above: list[int] = [0]

    def unescaped(self, escape: re.Pattern[bytes]) -> Layer | None:
        """Return the layer with one more level of escapes undone; None if there are none."""
        if not any(sign in self.data for sign in SIGNS):
            return None
        under = Layer(b"", self)
        pieces: list[Bytes] = []
        size = end = 0
        for found in escape.finditer(self.data):
            char = unescape(found[0])
            size += found.start() - end + len(char)
            pieces += (self.data[end : found.start()], char)
            end = found.end()
            under._starts += (size - len(char), size)
            under._starts_above += (found.start(), end)
        if not pieces:
            return None
        under.data = b"".join((*pieces, self.data[end:]))
        return under

    def source(self, start: int, end: int) -> tuple[int, int]:
        """Return the start and end in the original text of a part of this layer."""
        if self._above is None:
            return start, end
        first = bisect_right(self._starts, start) - 1
        last = bisect_right(self._starts, end - 1) - 1
        is_escape = last % 2 == 1
        return self._above.source(
            self._starts_above[first] + (0 if first % 2 else start - self._starts[first]),
            self._starts_above[last + 1]
            if is_escape
            else self._starts_above[last] + end - self._starts[last],
        )


@lru_cache(maxsize=4096)
def unescape(token: bytes) -> bytes:
    """Return the bytes that one escape stands for."""
    kind, rest = token[:1], token[1:].decode()
    if kind == b"%":
        return bytes((int(rest, 16),))
    if kind == b"&":
        return unescape_html(token.decode()).encode(errors="replace")
    if rest[0] not in "xuU":
        return rest.encode()
    if "\\" in rest:
        high, low = rest[1:].split("\\u")
        return bytes.fromhex(high + low).decode("utf-16-be", "replace").encode()
    number = int(rest[1:].strip("{}"), 16)
    return chr(number).encode(errors="replace") if number <= sys.maxunicode else token

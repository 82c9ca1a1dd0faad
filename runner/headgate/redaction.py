"""Takes a secret out of a text in whatever form it comes back.

What went over the wire comes back as it was sent, or escaped by whoever repeats it: for a URL, for
JSON, for HTML, in base64 or hexadecimal, and one within the other. A text is looked at under all of
its escapes; what was found is taken out of the text as it came. Redact first, cut afterwards: where
a text was cut before, what it ends with may be the beginning of a secret, and goes, too.
"""

from __future__ import annotations

import base64
import binascii
import html
import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import quote

from headgate.escapes import (
    ASCII_ESCAPE,
    ESCAPE,
    HALF_ESCAPE,
    SIGNS,
    WIDEST_ESCAPE,
    Bytes,
    Layer,
    unescape,
)

REDACTED: Final = b"[secret]"
NOT_SHOWN: Final = "not shown: it repeats a secret in a form that cannot be taken out"
SHORTEST_SECRET: Final = 8
"""Characters; a shorter one is taken for a word of the language, and stays in what repeats it."""
MAX_LAYERS: Final = 6
"""Escapes within each other, counted from the outside, under which a secret is looked for."""
PIECE: Final = 1_048_576
"""So many bytes of a large text are looked at in one go."""
SQUEEZED: Final = 4_096
"""In texts of up to so many bytes a secret is also found when it is broken over lines."""
BLANKS: Final = b" \t\r\n\f\v"
ALPHABETS: Final = (base64.b64encode, base64.urlsafe_b64encode)


class Uncleared(Exception):
    """A text repeats a secret in a form that cannot be taken out."""


class Redactor:
    """One secret, in all the forms in which it is looked for."""

    def __init__(self, secret: str) -> None:
        self._escape = ASCII_ESCAPE if secret.isascii() else ESCAPE
        words = [x for x in _words(secret.encode()) if len(x) >= SHORTEST_SECRET]
        forms = [x for word in words for x in self._forms(word) if len(x) >= SHORTEST_SECRET]
        self._needles = tuple(sorted(dict.fromkeys(forms), key=len, reverse=True))
        self._joined = tuple(x.translate(None, BLANKS) for x in self._needles)
        self._reach = WIDEST_ESCAPE * max(map(len, self._needles), default=0)

    def clear(self, data: Bytes, *, cut_before: bool = False, cut_after: bool = False) -> Bytes:
        """Return a text in UTF-8 without the secret; the same object where it has none.

        `cut_before` and `cut_after` tell that the text went on there: what may be a part of the
        secret is dropped. Raises Uncleared where the secret is seen and cannot be taken out.
        """
        if not self._needles:
            return data
        if not cut_before and not cut_after and not self._may_hold(data):
            return self._checked(data)
        for _ in range(MAX_LAYERS):
            spans = self._spans(data, cut_before=cut_before, cut_after=cut_after)
            if not spans:
                break
            data = _without(data, spans)
            cut_before = cut_after = False
        if spans:
            raise Uncleared(NOT_SHOWN)
        return self._checked(data)

    def _forms(self, word: bytes) -> Iterator[bytes]:
        """Yield a word as it is, under its own escapes, in base64 at any place, and in digits."""
        for layer in self._layers(word):
            yield bytes(layer.data)
        for quotes in (False, True):  # a backslash before an escape would be taken for one with it
            yield html.escape(word.decode(errors="replace"), quotes).encode(errors="replace")
        yield word.replace(b" ", b"+")
        yield word.replace(b"+", b" ")
        for sent in dict.fromkeys((word, quote(word, "").encode())):
            for encode in ALPHABETS:
                for before in range(3):
                    whole = encode(bytes(before) + sent)
                    yield whole[-(-8 * before // 6) : 8 * (before + len(sent)) // 6]
            yield binascii.hexlify(sent)
            yield binascii.hexlify(sent).upper()

    def _layers(self, data: Bytes) -> Iterator[Layer]:
        """Yield a text, and what is under its escapes, and under theirs."""
        layer = Layer(data)
        yield layer
        for _ in range(MAX_LAYERS):
            under = layer.unescaped(self._escape)
            if under is None:
                return
            yield under
            layer = under

    def _may_hold(self, data: Bytes) -> bool:
        """Return whether the data holds the secret; checked in pieces, so that others run."""
        for start in range(0, len(data), PIECE):
            piece = data if len(data) <= PIECE else data[start : start + PIECE + self._reach]
            for _ in range(MAX_LAYERS + 1):
                if any(needle in piece for needle in self._needles):
                    return True
                if not any(sign in piece for sign in SIGNS):
                    break
                piece, count = self._escape.subn(_unescape_match, piece)
                if not count:
                    break
        return False

    def _spans(self, data: Bytes, *, cut_before: bool, cut_after: bool) -> list[tuple[int, int]]:
        found = []
        for layer in self._layers(data):
            for needle in self._needles:
                place = layer.data.find(needle)
                while place >= 0:
                    found.append(layer.source(place, place + len(needle)))
                    place = layer.data.find(needle, place + len(needle))
            if cut_after and (begun := self._beginning(layer.data)) < len(layer.data):
                found.append((layer.source(begun, begun + 1)[0], len(data)))
            if cut_before and (ended := self._ending(layer.data)) > 0:
                found.append((0, layer.source(ended - 1, ended)[1]))
        return sorted(found)

    def _beginning(self, data: Bytes) -> int:
        """Return where a text's end begins that may be the beginning of a secret, or an escape."""
        half = HALF_ESCAPE.search(data, max(0, len(data) - WIDEST_ESCAPE))
        end = half.start() if half else len(data)
        return min(
            end - size
            for needle in self._needles
            for size in range(min(len(needle) - 1, end) + 1)
            if data.endswith(needle[:size], 0, end)
        )

    def _ending(self, data: Bytes) -> int:
        """Return where a text's start ends that may be the end of a secret; 0: there is none."""
        return max(
            (
                skipped + size
                for needle in self._needles
                for size in range(len(needle) - 1, 0, -1)
                for skipped in range(WIDEST_ESCAPE)
                if data.startswith(needle[-size:], skipped)
            ),
            default=0,
        )

    def _checked(self, data: Bytes) -> Bytes:
        """Return a short text unless the secret is there once all white space is left out."""
        if len(data) <= SQUEEZED:
            for layer in self._layers(data):
                joined = layer.data.translate(None, BLANKS)
                if any(needle in joined for needle in self._joined):
                    raise Uncleared(NOT_SHOWN)
        return data


def _unescape_match(found: re.Match[bytes]) -> bytes:
    return unescape(found[0])


def _words(secret: bytes) -> Iterator[bytes]:
    """Yield a secret, and what is in it: after the scheme of a header, and under its base64."""
    yield secret
    scheme, _, rest = secret.partition(b" ")
    if rest and scheme.isalnum():
        yield rest.strip()
    try:
        login = base64.b64decode(rest or secret, validate=True)
    except binascii.Error:
        return
    _, colon, password = login.partition(b":")
    if colon and login.isascii() and login.decode().isprintable():
        yield login
        yield password


def _without(data: Bytes, spans: list[tuple[int, int]]) -> bytes:
    """Return a text with these parts, which may overlap, replaced."""
    pieces: list[Bytes] = []
    end = 0
    for first, last in spans:
        if first >= end:
            pieces += (data[end:first], REDACTED)
        end = max(end, last)
    return b"".join((*pieces, data[end:]))

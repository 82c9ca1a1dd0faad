"""Redaction of a secret from a text, in every form in which the secret may be echoed.

A server may echo a secret as sent, escaped for a URL, JSON or HTML, in base64 or hexadecimal, and
these may be nested. The text is searched with all its escapes undone, and matches are removed from
the original. Redact before shortening: if a text was cut already, a beginning of the secret at its
end is removed too.
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
"""Minimum characters of a secret; a shorter one could be an ordinary word and is not redacted."""
MAX_LAYERS: Final = 6
"""Levels of nested escapes in which a secret is searched."""
PIECE: Final = 1_048_576
"""Bytes of a large text that are searched in one piece."""
SQUEEZED: Final = 4_096
"""Up to this many bytes a text is also searched for a secret broken across lines."""
BLANKS: Final = b" \t\r\n\f\v"
ALPHABETS: Final = (base64.b64encode, base64.urlsafe_b64encode)


class Uncleared(Exception):
    """A text contains a secret in a form that cannot be removed."""


class Redactor:
    """Redactor of one secret, in all forms that are searched for."""

    def __init__(self, secret: str) -> None:
        self._escape = ASCII_ESCAPE if secret.isascii() else ESCAPE
        words = [x for x in _words(secret.encode()) if len(x) >= SHORTEST_SECRET]
        forms = [x for word in words for x in self._forms(word) if len(x) >= SHORTEST_SECRET]
        self._needles = tuple(sorted(dict.fromkeys(forms), key=len, reverse=True))
        self._joined = tuple(x.translate(None, BLANKS) for x in self._needles)
        self._reach = WIDEST_ESCAPE * max(map(len, self._needles), default=0)

    def clear(self, data: Bytes, *, cut_before: bool = False, cut_after: bool = False) -> Bytes:
        """Return a UTF-8 text without the secret; the same object if the secret is not in it.

        `cut_before` and `cut_after` say that the text was cut there: a possible part of the secret
        at that end is removed. Raises Uncleared if the secret is found but cannot be removed.
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
        """Yield a word's forms: plain, unescaped, escaped, in base64 at any offset, hexadecimal."""
        for layer in self._layers(word):
            yield bytes(layer.data)
        for quotes in (False, True):  # unescaping reads "\&" as one escape, so layers miss these
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
        """Yield a text, then the text with one more level of escapes undone each time."""
        layer = Layer(data)
        yield layer
        for _ in range(MAX_LAYERS):
            under = layer.unescaped(self._escape)
            if under is None:
                return
            yield under
            layer = under

    def _may_hold(self, data: Bytes) -> bool:
        """Return whether the data may hold the secret; in pieces, so that other threads run."""
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
        """Return the offset of a possible beginning of the secret, or of an escape, at the end."""
        half = HALF_ESCAPE.search(data, max(0, len(data) - WIDEST_ESCAPE))
        end = half.start() if half else len(data)
        begun, last = end, data[max(0, end - 1) : end]
        for needle in self._needles if last else ():
            place = needle.rfind(last, 0, min(len(needle) - 1, end))
            while place >= end - begun:  # else an earlier beginning is known
                if data.endswith(needle[: place + 1], 0, end):
                    begun = end - place - 1
                    break
                place = needle.rfind(last, 0, place)
        return begun

    def _ending(self, data: Bytes) -> int:
        """Return where a possible end of the secret at the text's start stops; 0 if none."""
        ended = 0
        for skipped in range(min(WIDEST_ESCAPE, len(data))):
            first = data[skipped : skipped + 1]
            for needle in self._needles:
                place = needle.find(first, 1)
                while 0 <= place < skipped + len(needle) - ended:  # else a later end is known
                    if data.startswith(needle[place:], skipped):
                        ended = skipped + len(needle) - place
                        break
                    place = needle.find(first, place + 1)
        return ended

    def _checked(self, data: Bytes) -> Bytes:
        """Return the data; raises Uncleared if white space hides the secret in a short text."""
        if len(data) <= SQUEEZED:
            for layer in self._layers(data):
                joined = layer.data.translate(None, BLANKS)
                if any(needle in joined for needle in self._joined):
                    raise Uncleared(NOT_SHOWN)
        return data


def _unescape_match(found: re.Match[bytes]) -> bytes:
    return unescape(found[0])


def _words(secret: bytes) -> Iterator[bytes]:
    """Yield a secret, its part after a header's scheme, and its base64 login and password."""
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
    """Return a text with the given spans, which may overlap, replaced by `[secret]`."""
    pieces: list[Bytes] = []
    end = 0
    for first, last in spans:
        if first >= end:
            pieces += (data[end:first], REDACTED)
        end = max(end, last)
    return b"".join((*pieces, data[end:]))

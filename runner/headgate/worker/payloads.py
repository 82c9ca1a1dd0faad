"""Checks bodies before they go to the database: readable text, complete JSON, no secret."""

from __future__ import annotations

import json
from codecs import getincrementaldecoder
from functools import lru_cache
from typing import Final, NoReturn

from headgate.charsets import CHARSETS, codec_of, label_of
from headgate.escapes import Bytes
from headgate.redaction import Redactor, Uncleared
from headgate.shown import visible

LARGEST_PARSED = 1_048_576
PIECE: Final = 262_144
"""Bytes that are decoded at a time."""
LONGEST_HEAD: Final = 4_096
"""Bytes of a body from which an excerpt is taken."""
LONGEST_EXCERPT = 200
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class BadPayload(Exception):
    """A useless body under a good status; another try may bring a better one."""

    outcome = "retry"
    fault = "item"


class Unstorable(BadPayload):
    """A body that cannot be stored; another try would bring the same."""

    outcome = "failed"


def read_text(body: bytearray, content_type: str) -> bytearray:
    """Return a body as PostgreSQL accepts it: UTF-8 without NUL. Raises Unstorable.

    A UTF-8 body is checked and returned itself. A body of any charset is decoded piece by piece, so
    that no whole text is ever held at four bytes a character, and other threads get a turn.
    """
    mark = body.startswith(BYTE_ORDER_MARK)
    codec = "utf-8" if mark else _codec(content_type)
    if mark or codec == "utf-8-sig":
        del body[: len(BYTE_ORDER_MARK) * mark]
        codec = "utf-8"
    text = body if codec in ("utf-8", "ascii") else bytearray()
    decoder = getincrementaldecoder(codec)()
    for start in range(0, len(body) or 1, PIECE):
        held = len(decoder.getstate()[0])
        piece = bytes(memoryview(body)[start : start + PIECE])
        try:
            decoded = decoder.decode(piece, start + PIECE >= len(body))
            if text is not body:
                text += decoded.encode()
        except UnicodeError as exc:
            place = ""
            if isinstance(exc, UnicodeDecodeError):
                place = f" (byte {start - held + exc.start})"
            raise Unstorable(f"the answer is not {codec} text{place}") from None
    if b"\0" in text:
        raise Unstorable("the answer holds NUL characters")
    return text


def check_json(text: Bytes) -> None:
    """Raise BadPayload for text that is not JSON; of a large text only the ends are checked."""
    if not text:
        raise BadPayload("the answer is empty")
    if len(text) > LARGEST_PARSED:
        ends = text[:64].lstrip()[:1] + text[-64:].rstrip()[-1:]
        if ends not in (b"{}", b"[]"):
            raise BadPayload("the answer is not whole JSON")
        return
    try:
        _DECODER.decode(text.decode())
    except (ValueError, RecursionError) as exc:
        raise BadPayload(f"the answer is not JSON: {exc}") from exc


def excerpt(body: Bytes, content_type: str, redactor: Redactor, *, is_cut: bool) -> str:
    """Return the start of a readable body on one line, without the secret; empty for others.

    `is_cut` means that `body` is not the whole body.
    """
    if not content_type.startswith(("text/plain", "application/json")):
        return ""
    head = bytes(body[:LONGEST_HEAD])
    try:
        cleared = redactor.clear(head, cut_after=is_cut or len(head) < len(body))
    except Uncleared as exc:
        return str(exc)
    return visible(cleared.decode("utf-8", "replace"))[:LONGEST_EXCERPT]


@lru_cache(maxsize=64)
def _codec(content_type: str) -> str:
    """Return the charset of a content type, UTF-8 unless it names another. Raises Unstorable."""
    label = label_of(content_type) or "utf-8"
    try:
        codec = codec_of(label)
    except LookupError:
        return "utf-8"  # a misspelt name, most often of UTF-8
    if codec not in CHARSETS:
        raise Unstorable(f"the answer's charset is {label!r}, which is not read")
    return codec


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


# Numbers are not converted: only their form counts, and int() refuses more than 4,300 digits.
_DECODER = json.JSONDecoder(parse_constant=_refuse_constant, parse_int=str, parse_float=str)

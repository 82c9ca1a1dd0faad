"""What a runner lets into the database: readable text, whole JSON, and never the secret."""

from __future__ import annotations

import json
from codecs import lookup
from email.message import Message
from functools import lru_cache
from typing import NoReturn
from urllib.parse import quote

LARGEST_PARSED = 1_048_576
LONGEST_EXCERPT = 200
SHORTEST_REDACTED = 8
REDACTED = "[secret]"
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class BadPayload(Exception):
    """A body that is of no use, under a good status; another try may bring a better one."""


class Unstorable(BadPayload):
    """A body that no text column can hold; it would be the same next time."""


def read_text(body: bytes, content_type: str) -> str:
    """Decode a body; PostgreSQL takes no NUL characters."""
    try:
        text = body.removeprefix(BYTE_ORDER_MARK).decode(_charset(content_type))
    except UnicodeDecodeError as exc:
        raise Unstorable(f"the answer is not {exc.encoding} text (byte {exc.start})") from exc
    if "\0" in text:
        raise Unstorable("the answer holds NUL characters")
    return text


def check_json(text: str) -> None:
    """Refuse text that is no JSON; of a large one only the ends are looked at."""
    if len(text) > LARGEST_PARSED:
        ends = text[:64].lstrip()[:1] + text[-64:].rstrip()[-1:]
        if ends not in ("{}", "[]"):
            raise BadPayload("the answer is not whole JSON")
        return
    try:
        _DECODER.decode(text)
    except (ValueError, RecursionError) as exc:
        raise BadPayload(f"the answer is not JSON: {exc}") from exc


def excerpt(body: bytes, content_type: str) -> str:
    """Return the start of a readable body on one line, empty for anything else."""
    if not content_type.startswith(("text/plain", "application/json")):
        return ""
    text = body[: 4 * LONGEST_EXCERPT].decode("utf-8", "replace").replace("\0", " ")
    return " ".join(text.split())[:LONGEST_EXCERPT]


def without_secret(text: str, secret: str) -> str:
    """Take the secret out of a text that repeats it; one too short to be a secret stays."""
    if len(secret) < SHORTEST_REDACTED:
        return text
    for form in {secret, quote(secret, safe="")}:
        if form in text:
            text = text.replace(form, REDACTED)
    return text


@lru_cache(maxsize=64)
def _charset(content_type: str) -> str:
    header = Message()
    header["content-type"] = content_type
    try:
        return lookup(header.get_content_charset("utf-8")).name
    except LookupError:
        return "utf-8"


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)

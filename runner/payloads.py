"""What a runner lets into the database: readable text, whole JSON, and never the secret."""

from __future__ import annotations

import json
from codecs import lookup
from email.message import Message
from functools import lru_cache
from typing import Final, NoReturn
from urllib.parse import quote

LARGEST_PARSED = 1_048_576
LONGEST_EXCERPT = 200
LONGEST_LABEL: Final = 40
SHORTEST_REDACTED = 8
REDACTED = "[secret]"
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
CHARSETS: Final = frozenset(
    """
    utf-8 utf-8-sig utf-16 utf-16-le utf-16-be utf-32 utf-32-le utf-32-be ascii
    iso8859-1 iso8859-2 iso8859-3 iso8859-4 iso8859-5 iso8859-6 iso8859-7 iso8859-8 iso8859-9
    iso8859-10 iso8859-11 iso8859-13 iso8859-14 iso8859-15 iso8859-16
    cp1250 cp1251 cp1252 cp1253 cp1254 cp1255 cp1256 cp1257 cp1258
    cp437 cp850 cp852 cp855 cp858 cp866 cp874 tis-620
    koi8-r koi8-u kz1048 ptcp154 mac-roman mac-cyrillic
    big5 big5hkscs cp950 gb2312 gbk gb18030 euc_jp shift_jis cp932 iso2022_jp euc_kr cp949 johab
    """.split()
)
"""Charsets of real texts. Python knows more: some are no text (hex), some yield what cannot be
stored (utf-7), hide text in text (unicode-escape) or take for ever (punycode)."""
SPOKEN: Final = {
    "iso-8859-8-i": "iso8859-8",
    "windows-31j": "cp932",
    "windows-874": "cp874",
    "x-euc-jp": "euc_jp",
    "x-gbk": "gbk",
    "x-sjis": "cp932",
}
"""Labels that servers use and Python does not know."""


class BadPayload(Exception):
    """A body that is of no use, under a good status; another try may bring a better one."""

    outcome = "retry"
    blame = "item"


class Unstorable(BadPayload):
    """A body that no text column can hold; it would be the same next time."""

    outcome = "failed"


def read_text(body: bytes | bytearray, content_type: str) -> str:
    """Decode a body; PostgreSQL takes no NUL characters. Raises Unstorable."""
    try:
        codec = "utf-8-sig" if body.startswith(BYTE_ORDER_MARK) else _codec(content_type)
        text = body.decode(codec)
    except UnicodeError as exc:
        place = f" (byte {exc.start})" if isinstance(exc, UnicodeDecodeError) else ""
        raise Unstorable(f"the answer is not {codec} text{place}") from exc
    if "\0" in text:
        raise Unstorable("the answer holds NUL characters")
    return text


def is_charset(label: str) -> bool:
    """Tell whether texts of that charset are read."""
    try:
        return label in SPOKEN or lookup(label[:LONGEST_LABEL]).name in CHARSETS
    except (LookupError, ValueError):
        return False


def check_json(text: str) -> None:
    """Refuse text that is no JSON; of a large one only the ends are looked at."""
    if not text:
        raise BadPayload("the answer is empty")
    if len(text) > LARGEST_PARSED:
        ends = text[:64].lstrip()[:1] + text[-64:].rstrip()[-1:]
        if ends not in ("{}", "[]"):
            raise BadPayload("the answer is not whole JSON")
        return
    try:
        _DECODER.decode(text)
    except (ValueError, RecursionError) as exc:
        raise BadPayload(f"the answer is not JSON: {exc}") from exc


def excerpt(body: bytes | bytearray, content_type: str) -> str:
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
def _codec(content_type: str) -> str:
    """Return the charset of a content type, UTF-8 unless it names another. Raises Unstorable."""
    header = Message()
    header["content-type"] = content_type
    label = header.get_content_charset("utf-8")[:LONGEST_LABEL]
    try:
        codec = SPOKEN.get(label) or lookup(label).name
    except (LookupError, ValueError):
        return "utf-8"  # a misspelt name, most often of UTF-8
    if codec not in CHARSETS:
        raise Unstorable(f"the answer's charset is {label!r}, which is not read")
    return codec


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


# Numbers are not converted: only their form counts, and int() refuses more than 4,300 digits.
_DECODER = json.JSONDecoder(parse_constant=_refuse_constant, parse_int=str, parse_float=str)

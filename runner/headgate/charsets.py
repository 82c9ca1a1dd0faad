"""The charsets of texts: what senders call them, and which are read."""

from __future__ import annotations

from codecs import lookup
from typing import Final

LONGEST_LABEL: Final = 40
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
"""Charsets of real texts. Python knows more: some are not text (hex), some yield text that cannot
be stored (utf-7), hide text in text (unicode-escape) or take for ever (punycode)."""
SPOKEN: Final = {
    "iso-8859-8-i": "iso8859-8",
    "windows-31j": "cp932",
    "windows-874": "cp874",
    "x-euc-jp": "euc_jp",
    "x-gbk": "gbk",
    "x-sjis": "cp932",
}
"""Charset labels that servers use and Python does not know."""


def label_of(content_type: str) -> str:
    """Return the charset that a content type names, in lower case, or an empty string."""
    from email.message import Message  # its package imports a lot, which few processes need

    header = Message()
    header["content-type"] = content_type
    return header.get_content_charset("")[:LONGEST_LABEL]


def codec_of(label: str) -> str:
    """Return Python's name of a charset. Raises LookupError for an unknown one."""
    try:
        return SPOKEN.get(label) or lookup(label[:LONGEST_LABEL]).name
    except ValueError as exc:
        raise LookupError(label) from exc


def is_charset(label: str) -> bool:
    """Return whether a label names a charset that is read."""
    try:
        return codec_of(label) in CHARSETS
    except LookupError:
        return False

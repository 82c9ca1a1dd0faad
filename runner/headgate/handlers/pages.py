"""Reads HTML pages for crawlers: text, links, and a page's instructions to crawlers."""

from __future__ import annotations

import re
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE, lookup
from contextlib import suppress
from typing import Any, Final

from headgate.handlers.addresses import canonical
from headgate.handlers.document import Document
from headgate.handlers.parsers import missing

UNREAD: Final = "script, style, noscript, template"
"""Elements whose content is not text of the page."""
META_CHARSET: Final = re.compile(
    rb"""<meta[^>]{1,200}charset\s*=\s*["']?\s*([\w.:-]+)""", re.IGNORECASE
)
META_BYTES: Final = 1024
"""The HTML standard requires a page to declare its charset within this many bytes."""
MARKS: Final = ((BOM_UTF8, "utf-8"), (BOM_UTF16_LE, "utf-16-le"), (BOM_UTF16_BE, "utf-16-be"))
READ_AS: Final = {
    "ascii": "cp1252",
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
    "iso8859-11": "cp874",
    "tis-620": "cp874",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "utf-8-sig": "utf-8",
    "utf-16": "utf-16-le",
}
"""Encodings that browsers use for these declared charsets, by the Encoding standard."""
NO_CHARSETS: Final = ("utf-7", "punycode", "idna", "unicode-escape", "raw-unicode-escape")
"""Encodings of Python that are not charsets of pages."""


def parse_html(document: Document) -> dict[str, Any]:
    """Return a page's title, description, language, text, links and instructions to crawlers.

    Addresses are canonical: `links` in the page's order, without duplicates; `canonical` is the
    address that the page declares as its own, `redirect` the one that its server redirects to.
    """
    try:
        from selectolax.lexbor import LexborHTMLParser
    except ModuleNotFoundError:
        raise missing("html", "selectolax") from None
    data = document.data()
    encoding = _encoding(data, document.charset)
    text = data.decode(encoding, "replace").removeprefix("\ufeff").replace("\0", " ")
    page = LexborHTMLParser(text)
    base = canonical(_attribute(page, "base[href]", "href") or "", document.url) or document.url
    links = (
        canonical(x.attributes["href"] or "", base)
        for x in page.css("a[href]:not([rel~=nofollow])")
    )
    own = _attribute(page, "link[rel=canonical][href]", "href")
    moved = document.headers.get("location")
    title = page.css_first("title")
    told = {
        "url": canonical(document.url),
        "redirect": canonical(moved, document.url) if moved else None,
        "encoding": encoding,
        "title": title.text(strip=True) if title else None,
        "description": _attribute(page, "meta[name=description]", "content"),
        "language": _attribute(page, "html[lang]", "lang"),
        "canonical": canonical(own, base) if own else None,
        "robots": (_attribute(page, "meta[name=robots]", "content") or "").lower(),
        "links": list(dict.fromkeys(x for x in links if x)),
    }
    for node in page.css(UNREAD):
        node.decompose()
    text = page.body.text(separator=" ") if page.body else ""
    return told | {"text": " ".join(text.split())}


def _attribute(page: Any, selector: str, name: str) -> str | None:
    node = page.css_first(selector)
    value: str | None = node.attributes.get(name) if node else None
    return value.strip() if value else None


def _encoding(data: bytes, said: str) -> str:
    """Return a page's encoding: from its byte order mark, headers or markup, or the usual one."""
    for mark, encoding in MARKS:
        if data.startswith(mark):
            return encoding
    named = META_CHARSET.search(data[:META_BYTES])
    meta = _known(named[1].decode("ascii", "replace")) if named else None
    if meta and meta.startswith("utf-16"):
        meta = "utf-8"  # if it were UTF-16, the declaration itself would have been unreadable
    if found := _known(said) or meta:
        return found
    with suppress(UnicodeDecodeError):
        data.decode("utf-8")
        return "utf-8"
    return "cp1252"


def _known(label: str) -> str | None:
    """Return the encoding that a label means; None for an unknown label."""
    with suppress(LookupError, ValueError):
        "".encode(label)  # raises for encodings that are not of text, such as hex
        name = lookup(label).name
        return READ_AS.get(name, name) if name not in NO_CHARSETS else None
    return None

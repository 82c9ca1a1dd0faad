"""The parsers that are shipped: they turn CSV, JSON lines, XML and HTML into JSON."""

from __future__ import annotations

import csv
import io
import json
import re
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final
from urllib.parse import urldefrag, urljoin

from headgate.errors import WrongPlan
from headgate.handlers.document import Document

LONGEST_VALUE: Final = 64 * 1024 * 1024
UNREAD: Final = "script, style, noscript, template"
"""Elements of a page whose content is not text."""
META_CHARSET: Final = re.compile(
    rb"""<meta[^>]{1,200}charset\s*=\s*["']?\s*([\w.:-]+)""", re.IGNORECASE
)
META_BYTES: Final = 1024
"""The first bytes of a page, in which it names its charset by the HTML standard."""


def parse_csv(document: Document) -> list[dict[str, str]]:
    """Return an object for each line after the header line, which names the columns.

    The separator is the most frequent of comma, semicolon, tab and bar in the header line.
    Raises ValueError if a line has more or fewer values than the header.
    """
    text = document.text()
    csv.field_size_limit(LONGEST_VALUE)
    first = text.partition("\n")[0]
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t|", key=first.count))
    names = [name.strip() for name in next(lines, [])]
    if len(set(names)) < len(names):
        raise ValueError("two columns have the same name")
    rows = []
    for line in lines:
        if line and len(line) != len(names):
            raise ValueError(f"line {lines.line_num} has {len(line)} values, not {len(names)}")
        if line:
            rows.append(dict(zip(names, line, strict=True)))
    return rows


def parse_ndjson(document: Document) -> list[Any]:
    """Return the values of JSON lines. Raises ValueError with the number of a line that is not."""
    values = []
    for number, line in enumerate(document.text().split("\n"), 1):
        try:
            if line.strip():
                values.append(json.loads(line))
        except ValueError as exc:
            raise ValueError(f"line {number} is not JSON: {exc}") from None
    return values


def parse_xml(document: Document) -> Any:
    """Return elements as objects by name, attributes by @name, text by #text (xmltodict's form)."""
    try:
        import xmltodict
    except ModuleNotFoundError:
        raise _missing("xml", "xmltodict") from None
    return xmltodict.parse(document.data(), disable_entities=True)


def parse_html(document: Document) -> dict[str, Any]:
    """Return a page's title, description, language, text, links, and its instructions to crawlers.

    Links are absolute http(s) addresses without fragment, each once, in the page's order.
    `canonical` is the page's own address, if the page names one.
    """
    try:
        from selectolax.lexbor import LexborHTMLParser
    except ModuleNotFoundError:
        raise _missing("html", "selectolax") from None
    page = LexborHTMLParser(_text_of_page(document))
    base = _joined(document.url, _attribute(page, "base[href]", "href") or "") or document.url
    links = (_joined(base, x.attributes["href"] or "") for x in page.css("a[href]"))
    canonical = _attribute(page, "link[rel=canonical][href]", "href")
    title = page.css_first("title")
    told = {
        "title": title.text(strip=True) if title else None,
        "description": _attribute(page, "meta[name=description]", "content"),
        "language": _attribute(page, "html[lang]", "lang"),
        "canonical": _joined(base, canonical) if canonical else None,
        "robots": (_attribute(page, "meta[name=robots]", "content") or "").lower(),
        "links": list(dict.fromkeys(x for x in links if x)),
    }
    for node in page.css(UNREAD):
        node.decompose()
    text = page.body.text(separator=" ") if page.body else ""
    return told | {"text": " ".join(text.replace("\0", " ").split())}


def _attribute(page: Any, selector: str, name: str) -> str | None:
    node = page.css_first(selector)
    value: str | None = node.attributes.get(name) if node else None
    return value.strip() if value else None


def _joined(base: str, link: str) -> str | None:
    """Return a link as an absolute address without fragment; None if it is not http(s)."""
    with suppress(ValueError):
        url = urldefrag(urljoin(base, link.strip())).url
        return url if url.startswith(("http://", "https://")) else None
    return None


def _text_of_page(document: Document) -> str:
    """Return a page's source as text; undecodable bytes are replaced, as browsers do."""
    data = document.data()
    named = META_CHARSET.search(data[:META_BYTES])
    if not document.charset and named and not data.startswith((b"\xff\xfe", b"\xfe\xff")):
        charset = named.group(1).decode("ascii", "replace")
        with suppress(LookupError):
            return data.decode(charset, "replace")
    with suppress(ValueError):
        return replace(document, body=data).text()
    return data.decode("utf-8", "replace")


def _missing(parser: str, package: str) -> WrongPlan:
    return WrongPlan(
        f"the parser {parser!r} needs the package {package}, which is not installed: "
        'pip install "headgate[parsers]", and restart the worker'
    )

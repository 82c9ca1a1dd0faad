"""Canonical addresses for crawlers: one page, one address (RFC 3986, section 6)."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Final
from urllib.parse import SplitResult, quote, urljoin, urlsplit

LONGEST: Final = 2_000
"""Maximum length of an address in characters; longer ones come from crawler traps."""
PORTS: Final = {"http": 80, "https": 443}
ESCAPE: Final = re.compile(r"(%[0-9A-Fa-f]{2})")
UNRESERVED: Final = re.compile(r"[A-Za-z0-9._~-]")
IN_PATHS: Final = "/!$&'()*+,;=:@"
HIDDEN_DOTS: Final = re.compile(r"(?:/|%2F|%5C)\.{1,2}(?:/|%2F|%5C|$)")
"""Dots that would lead upwards once a server or proxy decodes the characters around them."""
TRACKING: Final = re.compile(
    r"utm_\w+|_ga|_gl|fbclid|gclid|gbraid|wbraid|dclid|msclkid|yclid|twclid|igshid|mc_[ce]id"
    r"|phpsessid|jsessionid",
    re.IGNORECASE,
)
"""Query parameters that identify the visitor or the referrer, not the page."""
SESSION: Final = re.compile(r";jsessionid=[^/;]*", re.IGNORECASE)


def canonical(address: str, base: str = "") -> str | None:
    """Return the canonical, absolute form of an http(s) address, for comparing links.

    Returns None for an address that leads to no page: another scheme, a user name, or a broken or
    too long address.
    """
    with suppress(ValueError):
        url = urlsplit(urljoin(base, address.strip().replace("\\", "/")))
        host = _host(url)
        if url.scheme in PORTS and host and url.username is None:
            path = _without_dots(SESSION.sub("", escaped(url.path, IN_PATHS)))
            written = f"{url.scheme}://{host}{path}{_query(url.query)}"
            if len(written) <= LONGEST and not HIDDEN_DOTS.search(path):
                return written
    return None


def escaped(text: str, safe: str) -> str:
    """Return the text with exactly those characters percent-encoded that need it."""
    pieces = ESCAPE.split(text)  # every second piece is an escape
    pieces[::2] = [quote(x, safe) for x in pieces[::2]]
    pieces[1::2] = [_plain(x) for x in pieces[1::2]]
    return "".join(pieces)


def _plain(escape: str) -> str:
    sign = chr(int(escape[1:], 16))
    return sign if UNRESERVED.fullmatch(sign) else escape.upper()


def _host(url: SplitResult) -> str:
    name = url.hostname or ""
    if ":" in name:
        name = f"[{name}]"
    else:
        name = name.encode("idna").decode().lower().rstrip(".")
    return name if url.port in (None, PORTS.get(url.scheme)) else f"{name}:{url.port}"


def _without_dots(path: str) -> str:
    kept: list[str] = []
    segments = path.split("/")[1:] or [""]
    for segment in segments:
        if segment == "..":
            kept = kept[:-1]
        elif segment != ".":
            kept.append(segment)
    if segments[-1] in (".", ".."):
        kept.append("")
    return "/" + "/".join(kept)


def _query(query: str) -> str:
    kept = [x for x in query.split("&") if x and not TRACKING.fullmatch(x.partition("=")[0])]
    return f"?{escaped('&'.join(kept), IN_PATHS + '?')}" if kept else ""

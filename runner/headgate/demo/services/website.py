"""A small web site with everything that trips up crawlers: cycles, traps, redirects, charsets."""

from __future__ import annotations

import re
from collections.abc import Mapping
from hashlib import sha256
from typing import Final

from headgate.demo.services.stand_in import Ask, Reply, StandIn

ELSEWHERE: Final = "http://elsewhere.test/"
BIG: Final = 10_000_000
"""Size of the page /big in bytes."""
ROBOTS: Final = b"""# Other crawlers are not welcome.
User-agent: *
Disallow: /

User-agent: headgate
Disallow: /private/
Allow: /private/door$
Disallow: /*?sort=
Crawl-delay: 0.02
"""
LINKS: Final[Mapping[str, tuple[str, ...]]] = {
    "/": (
        *("/circle/1", "/a/../circle/1?utm_source=home#top", "/moved", "/moved/away", "/moved/1"),
        *("/charset/header", "/charset/meta", "/charset/mark", "/charset/none"),
        *("/private/room", "/private/door", "/private/door/2", "/list?sort=price", "/list"),
        *("/big", "/trap/1", "/missing", "/brochure.pdf", "/copy", "/hidden", ELSEWHERE),
    ),
    "/circle/1": ("/circle/2",),
    "/circle/2": ("/circle/3", "/"),
    "/circle/3": ("/circle/1", "2"),
    "/here": ("/",),
    "/charset/header": (),
    "/charset/meta": (),
    "/charset/mark": (),
    "/charset/none": (),
    "/private/room": (),
    "/private/door": (),
    "/private/door/2": (),
    "/list": ("/list?sort=price", "/list?page=2"),
    "/list?sort=price": (),
    "/list?page=2": ("/list",),
    "/original": (),
    "/copy": (),
    "/hidden": ("/found",),
    "/found": (),
}
"""Links of each page."""
MOVED: Final[Mapping[str, str]] = {
    "/moved": "/here",
    "/moved/away": ELSEWHERE,
    **{f"/moved/{n}": f"/moved/{n + 1}" for n in range(1, 10)},
}
HEADS: Final[Mapping[str, str]] = {
    "/copy": '<link rel="canonical" href="/original">',
    "/hidden": '<meta name="robots" content="noindex">',
    "/charset/meta": '<meta charset="windows-1251">',
}
CHARSETS: Final[Mapping[str, tuple[str, str]]] = {
    "/charset/header": ("; charset=koi8-r", "koi8-r"),
    "/charset/meta": ("", "cp1251"),
    "/charset/mark": ("; charset=iso-8859-1", "utf-8-sig"),
    "/charset/none": ("", "cp1252"),
}
"""The charset in a page's header, and the encoding it is written in."""
TITLES: Final[Mapping[str, str]] = {
    "/charset/header": "Привет",
    "/charset/meta": "Привет",
    "/charset/mark": "Привет",
    "/charset/none": "Größe: 5 €",
}
TRAP: Final = re.compile(r"/trap/(\d+)")


def website() -> StandIn:
    """Return the site, which serves GET /robots.txt and its pages."""
    return StandIn("website", {("GET", "/robots.txt"): _robots}, rest=_page)


def _robots(_: Ask) -> Reply:
    return Reply(ROBOTS, headers={"Content-Type": "text/plain"})


def _page(ask: Ask) -> Reply:
    query = "&".join(f"{x}={y}" for x, y in ask.query.items())
    path = f"{ask.path}?{query}" if query else ask.path
    if path in MOVED:
        return Reply(status=301, headers={"Location": MOVED[path]})
    if path == "/brochure.pdf":
        return Reply(b"%PDF-1.7 \x00\xff", headers={"Content-Type": "application/pdf"})
    if path == "/big":
        return Reply(BIG * b"x", headers={"Content-Type": "text/html"})
    if trap := TRAP.fullmatch(path):
        first = int(trap[1])
        return _written(ask, path, tuple(f"/trap/{first + n}" for n in (1, 2)))
    if path in LINKS:
        return _written(ask, path, LINKS[path])
    return Reply(b"<title>Not here</title>", 404, {"Content-Type": "text/html"})


def _written(ask: Ask, path: str, links: tuple[str, ...]) -> Reply:
    """Return a page, or status 304 if the client has its current version."""
    said, charset = CHARSETS.get(path, ("; charset=utf-8", "utf-8"))
    anchors = "".join(f'<a href="{x}">{x}</a>' for x in links)
    text = (
        f"<html><head>{HEADS.get(path, '')}<title>{TITLES.get(path, path)}</title></head><body>"
        f"<p>This is {path}</p>{anchors}</body></html>"
    )
    body = text.encode(charset)
    etag = f'"{sha256(body).hexdigest()[:16]}"'
    headers = {"Content-Type": f"text/html{said}", "ETag": etag}
    if ask.headers.get("If-None-Match") == etag:
        return Reply(status=304, headers={"ETag": etag})
    return Reply(body, headers=headers)

"""What every answer carries, and which names of this server are answered at all.

A page of somebody else's reaches this server by a name of its own that it lets point here (DNS
rebinding). A name has to be allowed, therefore. An address is nobody's name: Prometheus and the
kubelet ask by it.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Awaitable, Callable, Collection
from typing import Any, Final, TypeAlias

from aiohttp import web

Handler: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]

HOST: Final = re.compile(r"(?:\[(?P<address>[\da-fA-F:.]+)\]|(?P<name>[\w.-]+))(?::\d+)?")
LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
REFUSED: Final = (
    "error: this page is not served under the name {name!r}\n"
    "hint: start it with --allow-host NAME for each further name, such as a proxy's\n"
)


def hosts_of(host: str, allowed: Collection[str]) -> frozenset[str]:
    """Return the names under which the server answers: its own, this machine's, those allowed."""
    return frozenset(x.strip("[]").lower() for x in (*LOOPBACK, host, *allowed))


def guard(hosts: frozenset[str]) -> Any:
    """Return the middleware that refuses other names, which DNS rebinding would use."""

    @web.middleware
    async def refuse_others(request: web.Request, handler: Handler) -> web.StreamResponse:
        name = _name(request.headers.get("Host", ""))
        if name not in hosts and not _is_address(name):
            return web.Response(status=421, text=REFUSED.format(name=name[:100]))
        return await handler(request)

    return refuse_others


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Add the headers to an answer, whatever it is."""
    response.headers.update(HEADERS)
    response.headers.popall("Server", None)


def is_private(host: str) -> bool:
    """Return whether an address is reached from this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host in LOOPBACK


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _name(host: str) -> str:
    """Return the name in a Host header, in lower case and without the port."""
    found = HOST.fullmatch(host)
    return (found["name"] or found["address"]).lower() if found else host

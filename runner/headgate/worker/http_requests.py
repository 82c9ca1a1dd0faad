"""Requests as they are sent: URL, headers and body of a call, all but the secret."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

import httpx2

from headgate.worker.auth import header
from headgate.worker.chunks import PER_ASSET, Call
from headgate.worker.inflate import ACCEPTED

CONNECT_SECONDS = 10.0
DOT_SEGMENT: Final = re.compile(r"(?:/|\\|%2f|%5c)(?:\.|%2e){1,2}(?:/|\\|%2f|%5c|$)", re.IGNORECASE)
"""A path segment that becomes `.` or `..` once a proxy or server decodes it."""


def request_of(
    call: Call, url: str, body: str | None, own: Mapping[str, str] | None = None
) -> httpx2.Request:
    """Return a call's request, without the secret. Raises ValueError, InvalidURL, WrongPlan."""
    if call.base_url == PER_ASSET:
        written = url
        target = httpx2.URL(written)
        _check_host(call, target)
    else:
        written = f"{call.base_url}{url if url[:1] in ('/', '?', '') else f'/{url}'}"
        target = httpx2.URL(written)
        if (target.scheme, target.netloc) != _host(call.base_url) or target.userinfo:
            raise ValueError("its URL leaves the provider's host")
    if target.fragment or DOT_SEGMENT.search(written.partition("?")[0]):
        raise ValueError("its URL leaves its place in the provider's path")
    headers = _common_headers(call.headers, body is not None)
    if own:
        headers = _headers((*call.headers, *(header(*x) for x in own.items())), body is not None)
    return httpx2.Request(
        call.method,
        target,
        headers=headers,
        content=body,
        extensions={"timeout": {"connect": min(CONNECT_SECONDS, call.timeout_seconds * 0.9)}},
    )


def _check_host(call: Call, target: httpx2.URL) -> None:
    """Raise ValueError if a complete URL leads to a host that the provider does not allow."""
    if target.scheme not in ("http", "https") or not target.host or target.userinfo:
        raise ValueError("its base_url is not an address")
    if call.hosts is None and call.auth.place != "none":
        raise ValueError("the provider names no hosts, and its secret would go anywhere")
    if call.hosts is not None and target.netloc.decode().lower() not in call.hosts:
        raise ValueError(f"its URL leads to {target.netloc.decode()}, which is not among the hosts")


@lru_cache(maxsize=64)
def _host(url: str) -> tuple[str, bytes]:
    base = httpx2.URL(url)
    return base.scheme, base.netloc


def _headers(own: tuple[tuple[str, str], ...], has_body: bool) -> httpx2.Headers:
    ours = [("User-Agent", "headgate"), ("Accept-Encoding", ACCEPTED), ("Accept", "*/*")]
    if has_body:
        ours.append(("Content-Type", "application/json"))
    headers = {name.lower(): (name, value) for name, value in (*ours, *own)}
    return httpx2.Headers(list(headers.values()), encoding="utf-8")


_common_headers = lru_cache(maxsize=64)(_headers)

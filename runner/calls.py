"""Calls to the outside: every HTTP client of the runner is built here, one pool for each provider.

A client follows no redirect, repeats no request and reads no proxy or password from where it runs.
The secret is added below httpx, on the way to the wire: no request, log line or error holds it.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final, TypeAlias, cast
from urllib.parse import quote

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport
from multidict import CIMultiDict

from runner.chunks import Auth, Call
from runner.payloads import (
    BadPayload,
    Unstorable,
    check_json,
    excerpt,
    read_text,
    without_secret,
)
from runner.rules import Answer, Outcome

CONNECT_SECONDS = 10.0
IDLE_CONNECTION_SECONDS = 4.0

NEVER_SENT: Final = (
    aiohttp.ClientConnectorError,
    aiohttp.ConnectionTimeoutError,
    aiohttp.ServerFingerprintMismatch,
)


@dataclass(frozen=True, slots=True)
class Reply:
    """What came of one call; `requests` is 0 when nothing can have reached the provider."""

    outcome: Outcome
    requests: int
    payload: str | None
    duration_ms: int


Judged: TypeAlias = tuple[Outcome, int, str | None]


@dataclass(frozen=True, slots=True)
class Client:
    """One provider's connections, its address and its secret."""

    http: httpx.AsyncClient
    base: httpx.URL
    secret: str


class Caller:
    """Makes calls and judges their answers."""

    def __init__(self, concurrency: int) -> None:
        self._limits = httpx.Limits(
            max_connections=concurrency, keepalive_expiry=IDLE_CONNECTION_SECONDS
        )
        self._clients: dict[tuple[str, Auth], Client] = {}
        self._tls: ssl.SSLContext | None = None

    async def fetch(
        self, call: Call, url: str, body: str | None = None, own: Mapping[str, str] | None = None
    ) -> Reply:
        """Make one call; whatever goes wrong with it is in the reply. Raises SecretMissing."""
        started = time.perf_counter()
        outcome, requests, payload = await self._fetch(call, url, body, own or {})
        duration_ms = round((time.perf_counter() - started) * 1000)
        return Reply(outcome, requests, payload, duration_ms)

    async def aclose(self) -> None:
        """Close all connections."""
        clients, self._clients = self._clients, {}
        for client in clients.values():
            await client.http.aclose()

    async def _fetch(
        self, call: Call, url: str, body: str | None, own: Mapping[str, str]
    ) -> Judged:
        client = self._client(call)
        try:
            request = _request(call, client.base, url, body)
            request.headers.update(own)
        except (ValueError, httpx.InvalidURL) as exc:
            return Outcome("failed", "item", f"the request cannot be made: {exc}"), 0, None
        try:
            async with asyncio.timeout(call.timeout_seconds):
                response = await client.http.send(request, stream=True)
                try:
                    content = await _read(response, call.max_bytes)
                finally:
                    await response.aclose()
        except httpx.DecodingError:
            return Outcome("retry", "item", "the answer's encoding is broken"), 1, None
        except (OSError, httpx.HTTPError, aiohttp.ClientError) as exc:
            return _no_answer(call, exc)
        return _judge(call, response, content, client.secret)

    def _client(self, call: Call) -> Client:
        found = self._clients.get((call.base_url, call.auth))
        if found is None:
            secret = call.auth.secret()
            if self._tls is None and call.base_url.startswith("https:"):
                self._tls = httpx.create_ssl_context(trust_env=False)
            transport = _SecretTransport(call.auth, secret, self._limits, self._tls)
            http = httpx.AsyncClient(
                transport=transport, follow_redirects=False, trust_env=False, timeout=None
            )
            found = Client(http, httpx.URL(call.base_url), secret)
            self._clients[call.base_url, call.auth] = found
        return found


@dataclass(frozen=True, slots=True)
class _Signed:
    """A request as it goes to the wire; httpx itself only ever sees the unsigned one."""

    method: str
    url: str
    headers: CIMultiDict[str]
    content: bytes
    extensions: dict[str, Any]


class _SecretTransport(AiohttpTransport):
    """The aiohttp transport; adds the provider's secret to each request, and to nothing else."""

    def __init__(
        self, auth: Auth, secret: str, limits: httpx.Limits, tls: ssl.SSLContext | None
    ) -> None:
        super().__init__(
            verify=tls or False, trust_env=False, limits=limits, client=self._new_session
        )
        self._auth = auth
        self._secret = secret

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return await super().handle_async_request(cast(httpx.Request, self._sign(request)))

    def _sign(self, request: httpx.Request) -> _Signed:
        auth, url = self._auth, str(request.url)
        pairs = ((name.decode(), value.decode()) for name, value in request.headers.raw)
        headers = CIMultiDict(pairs)
        if auth.place == "query":
            url += f"{'&' if '?' in url else '?'}{quote(auth.name, '')}={quote(self._secret, '')}"
        elif auth.place == "header":
            headers[auth.name] = self._secret
        elif auth.place == "bearer":
            headers["Authorization"] = f"Bearer {self._secret}"
        return _Signed(request.method, url, headers, request.content, request.extensions)

    def _new_session(self) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(
            limit=self.limits.max_connections or 0,
            keepalive_timeout=self.limits.keepalive_expiry,
            ssl=self.ssl_context,
        )
        session = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())
        # aiohttp would send a GET again when a kept connection breaks: a call nobody has booked.
        session._retry_connection = False
        return session


def _request(call: Call, base: httpx.URL, url: str, body: str | None) -> httpx.Request:
    target = httpx.URL(f"{call.base_url}{'' if url[:1] in ('/', '?', '') else '/'}{url}")
    if (target.scheme, target.netloc) != (base.scheme, base.netloc) or target.userinfo:
        raise ValueError("its URL leaves the provider's host")
    if target.fragment or not target.raw_path.startswith(base.raw_path):
        raise ValueError("its URL leaves the provider's path")
    timeout = call.timeout_seconds
    times = {"connect": min(CONNECT_SECONDS, timeout * 0.9), "read": timeout, "write": timeout}
    return httpx.Request(
        call.method,
        target,
        headers=_headers(call.headers, body is not None),
        content=body,
        extensions={"timeout": {**times, "pool": None}},
    )


@lru_cache(maxsize=64)
def _headers(own: tuple[tuple[str, str], ...], has_body: bool) -> httpx.Headers:
    headers = httpx.Headers({"User-Agent": "headgate", "Accept-Encoding": "gzip, deflate"})
    headers["Accept"] = "*/*"
    if has_body:
        headers["Content-Type"] = "application/json"
    headers.update(own)
    return headers


async def _read(response: httpx.Response, limit: int) -> tuple[bytes, bool]:
    """Read the body up to the limit; tell whether that was all of it."""
    pieces, size = [], 0
    async for piece in response.aiter_bytes():
        pieces.append(piece)
        size += len(piece)
        if size > limit:
            return b"".join(pieces), False
    return b"".join(pieces), True


def _no_answer(call: Call, exc: Exception) -> Judged:
    """Judge a call without an answer; the transport's own names for what happened mislead."""
    cause = exc.__cause__ if isinstance(exc, httpx.HTTPError) and exc.__cause__ else exc
    if isinstance(cause, NEVER_SENT):
        status, detail, requests = "error:connect", "could not connect", 0
        if isinstance(cause, aiohttp.ClientConnectorError) and cause.strerror:
            detail = f"could not connect: {cause.strerror}"
    elif isinstance(cause, TimeoutError):
        status, detail = "error:timeout", f"no answer within {call.timeout_seconds:g} seconds"
        requests = 1
    else:
        status, detail, requests = "error:cut", "the connection broke", 1
    return _detailed(call.rules.judge(Answer(status)), detail), requests, None


def _judge(
    call: Call, response: httpx.Response, content: tuple[bytes, bool], secret: str
) -> Judged:
    body, is_whole = content
    headers = {
        name.lower().decode(): value.decode("latin-1") for name, value in response.headers.raw
    }
    answer = Answer(str(response.status_code), headers, body)
    outcome = call.rules.judge(answer)
    if not outcome.is_success:
        seen = without_secret(excerpt(body, answer.content_type), secret)
        detail = f"{answer.status}: {seen}" if seen else answer.status
        return _detailed(outcome, detail), 1, None
    try:
        if not is_whole:
            raise Unstorable(f"the answer is larger than {call.max_bytes} bytes")
        text = read_text(body, answer.content_type)
        if response.status_code == 200 and "json" in answer.content_type:
            check_json(text)
    except BadPayload as exc:
        verdict = "failed" if isinstance(exc, Unstorable) else "retry"
        return replace(outcome, outcome=verdict, blame="item", reason=str(exc)), 1, None
    return outcome, 1, without_secret(text, secret)


def _detailed(outcome: Outcome, detail: str) -> Outcome:
    return replace(outcome, reason=f"{outcome.reason} ({detail})" if outcome.reason else detail)

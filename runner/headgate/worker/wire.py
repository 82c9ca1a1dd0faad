"""HTTP transport: aiohttp under httpx2. Sends each URL as written, with the secret added.

No request is sent twice, no unrequested data are taken for an answer, and headers are bounded.
"""

from __future__ import annotations

import asyncio
import functools
import ssl
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, cast
from urllib.parse import quote

import aiohttp
import httpx2
import yarl
from aiohttp.client_proto import ResponseHandler
from aiohttp.http_exceptions import BadHttpMessage, HttpProcessingError, LineTooLong
from multidict import CIMultiDict

from headgate.worker.auth import Auth

LARGEST_HEAD: Final = 65_536
"""Bytes of an answer's status line and headers."""
MAX_HEADERS: Final = 1_000
READ_BYTES: Final = 65_536
"""Half of the bytes that a connection reads ahead."""

PIECE: Final = 16_384
"""Bytes of a body that are passed on at a time."""

Headers: TypeAlias = Iterable[tuple[bytes, bytes]]

NEVER_SENT: Final = (
    aiohttp.ClientConnectorError,
    aiohttp.ConnectionTimeoutError,
    aiohttp.ServerFingerprintMismatch,
)


@dataclass(slots=True)
class Traffic:
    """The number of requests that opened a connection, and of those that reused one."""

    opened: int = 0
    reused: int = 0


class HeadTooLarge(aiohttp.ClientError):
    """The headers of an answer are too large."""


class Wire(httpx2.AsyncBaseTransport):
    """The way to one provider; adds its secret to each request, and to nothing else.

    httpx2 only ever sees the unsigned request, so that no log line or error holds the secret.
    Errors are raised as aiohttp's exceptions, which say more than httpx2's.
    """

    def __init__(
        self,
        auth: Auth,
        secret: str,
        session: aiohttp.ClientSession,
        tls: ssl.SSLContext | None,
    ) -> None:
        self._auth = auth
        self._session = session
        self._tls = tls
        self._secret = secret
        self._quoted = quote(secret, "")
        self._headers = functools.lru_cache(maxsize=64)(self._signed)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        response = await self._session.request(
            request.method,
            # Marked as encoded: otherwise aiohttp would decode %2E and resolve `..` in the path.
            yarl.URL(signed_url(request, self._auth, self._quoted), encoded=True),
            headers=self._headers(tuple(request.headers.raw)),
            data=request.content or None,
            allow_redirects=False,
            auto_decompress=False,
            timeout=_timeout(request.extensions["timeout"]["connect"]),
            # Connections of http are shared by all, whichever certificates a provider trusts.
            ssl=self._tls or True if request.url.scheme == "https" else True,
        )
        return httpx2.Response(
            response.status, headers=response.raw_headers, stream=_Stream(response), request=request
        )

    def _signed(self, headers: Headers) -> CIMultiDict[str]:
        return signed_headers(headers, self._auth, self._secret)


def open_session(
    max_connections: int, idle_seconds: float, traffic: Traffic
) -> aiohttp.ClientSession:
    """Return the connections of all providers: those with the same address share them."""
    connector = aiohttp.TCPConnector(limit=max_connections, keepalive_timeout=idle_seconds)
    loop = asyncio.get_running_loop()
    connector._factory = cast(Any, functools.partial(_Connection, traffic, loop))
    session = aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        read_bufsize=READ_BYTES,
        max_line_size=LARGEST_HEAD,
        max_field_size=LARGEST_HEAD,
        max_headers=MAX_HEADERS,
    )
    # aiohttp would repeat a GET when a kept connection breaks: a call that we would not count.
    session._retry_connection = False
    return session


def signed_url(request: httpx2.Request, auth: Auth, secret: str) -> str:
    """Return a request's URL with the secret, which is already percent-encoded, in its place."""
    url = str(request.url)
    if auth.place != "query":
        return url
    return f"{url}{'&' if '?' in url else '?'}{quote(auth.name, '')}={secret}"


def signed_headers(headers: Headers, auth: Auth, secret: str) -> CIMultiDict[str]:
    """Return a request's headers with the secret in its place."""
    signed = CIMultiDict((name.decode(), value.decode()) for name, value in headers)
    if auth.place == "header":
        signed[auth.name] = secret
    elif auth.place == "bearer":
        signed["Authorization"] = f"Bearer {secret}"
    return signed


@functools.lru_cache(maxsize=64)
def _timeout(connect: float) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(sock_connect=connect)


class _Stream(httpx2.AsyncByteStream):
    """An answer's body, in pieces as they arrive."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._response.content.iter_chunked(PIECE)

    async def aclose(self) -> None:
        self._response.release()
        await self._response.wait_for_close()


class _Connection(ResponseHandler):
    """One connection; it is aborted if the server sends data that were not requested."""

    _is_asked = False
    _received = 0

    def __init__(self, traffic: Traffic, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self._traffic = traffic
        self._is_used = False

    def set_response_params(self, **params: Any) -> None:
        if self._is_used:
            self._traffic.reused += 1
        else:
            self._traffic.opened += 1
            self._is_used = True
        self._is_asked, self._received = True, 0
        super().set_response_params(**params)

    def data_received(self, data: bytes) -> None:
        if data and not self._is_asked and (self._payload is None or self._payload.is_eof()):
            self.abort()  # it would be taken for the answer to the next request
            return
        self._received += len(data)
        super().data_received(data)
        if self._is_asked and self._received > LARGEST_HEAD:
            self._refuse()

    def feed_data(self, data: Any, size: int = 0) -> None:
        message = data[0]
        self._is_asked = 100 <= message.code < 200 and message.code != 101
        if sum(len(name) + len(value) + 4 for name, value in message.raw_headers) > LARGEST_HEAD:
            self._refuse()
        else:
            super().feed_data(data, size)

    def _refuse(self) -> None:
        self.set_exception(HeadTooLarge())
        if self.transport is not None:
            self.transport.abort()


def is_head_too_large(exc: BaseException) -> bool:
    """Return whether an answer's headers were too large or too many."""
    return any(
        isinstance(x, (HeadTooLarge, LineTooLong))
        or (isinstance(x, BadHttpMessage) and "Too many headers" in x.message)
        for x in _causes(exc)
    )


def is_no_http(exc: BaseException) -> bool:
    """Return whether the data received are not valid HTTP."""
    return any(isinstance(x, HttpProcessingError) for x in _causes(exc))


def _causes(exc: BaseException | None) -> Iterator[BaseException]:
    while exc is not None:
        yield exc
        exc = exc.__cause__

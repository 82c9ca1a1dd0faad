"""Makes calls to providers; all HTTP clients of the runner are built here, one per provider.

Requests go directly to httpx2's transport, not through its client: no redirect is followed, no
request is repeated, no cookie is kept, and no proxy or password is read from the environment. A
broken body never hides what the status of its answer means.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import aiohttp
import httpx2

from headgate.errors import SecretMissing, WrongPlan
from headgate.escapes import Bytes
from headgate.handlers import Document, Done, Parsing, WorkLost
from headgate.redaction import Redactor
from headgate.shown import learn, redacted
from headgate.worker.auth import Auth
from headgate.worker.bodies import BROKEN, Body, NoRoom, Reader
from headgate.worker.buffer import Buffer, Share
from headgate.worker.chunks import PER_ASSET, Call
from headgate.worker.http_requests import request_of
from headgate.worker.judgements import (
    Head,
    Judged,
    cleared,
    head_of,
    headers_of,
    no_answer,
    spoilt,
    start_of,
    text_of,
)
from headgate.worker.patterns import LONGEST_HEAD
from headgate.worker.payloads import BadPayload, Unstorable, excerpt
from headgate.worker.rules import Answer, Outcome
from headgate.worker.wire import Traffic, Wire, open_session

if TYPE_CHECKING:
    from psycopg import Connection

    from headgate.worker.sources import Sources

SMALL: Final = 65_536
"""Answers up to this many bytes are decoded in the event loop, larger ones in a thread."""
IDLE_CONNECTION_SECONDS = 4.0
REPLACED: Final = "the secret that it went with was refused, and has been replaced meanwhile"


@dataclass(frozen=True, slots=True)
class Reply:
    """The result of one call; `requests` is 0 if nothing can have reached the provider."""

    outcome: Outcome
    requests: int
    payload: Bytes | None
    """UTF-8."""
    duration_ms: int
    answer: str | None = None
    """JSON with status, duration and headers, as far as the call asks for them."""

    @property
    def charged(self) -> int:
        """Return the number of requests that the provider charges for."""
        return self.requests if self.outcome.charged else 0


class NoParser(BadPayload):
    """The operation's parser cannot be found or loaded: an internal fault, not the item's."""

    outcome = "deferred"
    fault = "internal"


@dataclass(frozen=True, slots=True)
class Client:
    """The way to one provider, and the redactor that removes its secret from answers."""

    secret: str = field(repr=False)
    transport: httpx2.AsyncBaseTransport
    redactor: Redactor


class Caller:
    """Makes calls and judges their answers; the buffer bounds the memory of all answers."""

    def __init__(
        self,
        concurrency: int,
        buffer: Buffer | None = None,
        transport: httpx2.AsyncBaseTransport | None = None,
        open_target: Callable[[], Connection[Any]] | None = None,
        run_parser: Callable[[Parsing], Awaitable[Done]] | None = None,
    ) -> None:
        self._buffer = buffer or Buffer()
        self._transport = transport
        """Answers all calls in place of the network, if given."""
        self._open_target = open_target
        """Opens a connection to our database, for rows that are staged."""
        self._run_parser = run_parser
        """Runs parsers outside the process that makes the calls."""
        self._concurrency = concurrency
        self._one_at_a_time = asyncio.Lock()
        """Held while a thread decodes a large answer."""
        self._clients: dict[tuple[str, Auth], Client] = {}
        self._secrets: dict[Auth, str] = {}
        self._session: aiohttp.ClientSession | None = None
        """Opened by the first call."""
        self.traffic = Traffic()
        self._tls: ssl.SSLContext | None = None
        self._sources: Sources | None = None

    async def fetch(
        self, call: Call, url: str, body: str | None = None, own: Mapping[str, str] | None = None
    ) -> Reply:
        """Make one call; the reply covers all of its failures. Raises SecretMissing."""
        started = time.perf_counter()
        head: Head | None = None
        used = self._secret(call.auth)
        if call.is_statement:
            outcome, requests, payload, seen = await self._opened_sources().fetch(call, url, body)
            head = {"snapshot": seen} if seen is not None else None
        else:
            (outcome, requests, payload), head = await self._fetch(call, used, url, body, own or {})
        if outcome.fault == "internal" and used != self._secret(call.auth):
            # As "not now", it may also be made again where calls may not be repeated.
            outcome = Outcome("retry", "quota", REPLACED, charged=outcome.charged)
        duration_ms = (time.perf_counter() - started) * 1000
        answer = None
        if head is not None:
            answer = json.dumps(head | {"duration_ms": round(duration_ms, 3)}, ensure_ascii=False)
        return Reply(outcome, requests, payload, round(duration_ms), answer)

    async def aclose(self) -> None:
        """Close all connections."""
        if self._sources is not None:
            await self._sources.aclose()
        self._clients.clear()
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _opened_sources(self) -> Sources:
        if self._sources is None:
            from headgate.worker.sources import Sources  # most runners call no database

            self._sources = Sources(self._buffer, self._open_target)
        return self._sources

    async def _fetch(
        self, call: Call, secret: str, url: str, body: str | None, own: Mapping[str, str]
    ) -> tuple[Judged, Head | None]:
        client = self._client(call, secret)
        try:
            request = request_of(call, url, body, own)
        except (ValueError, httpx2.InvalidURL, WrongPlan) as exc:
            reason = redacted(f"the request cannot be made: {exc}")
            return (Outcome("failed", "item", reason), 0, None), None
        share = Share(self._buffer)
        try:
            async with asyncio.timeout(call.timeout_seconds) as deadline:
                response = await client.transport.handle_async_request(request)
                try:
                    headers = headers_of(response)
                    reader = self._reader(call, response.status_code, headers, share, deadline)
                    answered = await reader.read(response)
                finally:
                    await response.aclose()
            judged = await self._judge(call, response, headers, answered, client.redactor)
            head = head_of(call, response.status_code, headers, client.redactor)
            if head is not None and call.keeps_refused and not judged[0].is_success:
                head["body"] = start_of(answered, client.redactor)
        except BROKEN as exc:
            judged, head = no_answer(call, exc), None
        finally:
            share.close()
        outcome, requests, payload = judged
        if "{url}" in outcome.reason:
            outcome = outcome.located(redacted(str(request.url)))
        return (outcome, requests, payload), head

    def _reader(
        self,
        call: Call,
        status: int,
        headers: Mapping[str, str],
        share: Share,
        deadline: asyncio.Timeout,
    ) -> Reader:
        """Return a reader; an answer that cannot be a payload is read only as far as rules look."""
        limit = min(call.max_bytes, self._buffer.most)
        too_large: BadPayload = Unstorable(f"the answer is larger than {limit} bytes")
        if limit < call.max_bytes:
            too_large = NoRoom(
                f"the answer is larger than {limit} bytes, half of HEADGATE_MAX_BUFFER"
            )
        said = headers.get("content-length", "")
        if not call.rules.may_succeed(str(status)):
            limit = LONGEST_HEAD
        elif said.isdecimal() and len(said) < 20 and int(said) > limit:
            limit = min(limit, LONGEST_HEAD)
        return Reader(share, deadline, limit, too_large)

    async def _judge(
        self,
        call: Call,
        response: httpx2.Response,
        headers: dict[str, str],
        body: Body,
        redactor: Redactor,
    ) -> Judged:
        head, is_readable = bytes(body.data[:LONGEST_HEAD]), body.problem is None
        answer = Answer(str(response.status_code), headers, head, is_readable)
        outcome = call.rules.judge(answer)
        if not outcome.is_success:
            is_cut = len(head) < len(body.data) or not is_readable
            seen = excerpt(head, answer.content_type, redactor, is_cut=is_cut)
            detail = f"{answer.status}: {seen}" if seen else answer.status
            return outcome.detailed(detail), 1, None
        if body.problem is not None:
            return spoilt(outcome, body.problem), 1, None
        try:
            if call.parser is not None:
                document = Document(bytes(body.data), str(response.request.url), headers)
                text = await self._parsed(call, document, redactor)
            elif len(body.data) <= SMALL:
                text = text_of(answer, body.data, redactor)
            else:
                async with self._one_at_a_time:
                    text = await asyncio.to_thread(text_of, answer, body.data, redactor)
        except BadPayload as exc:
            return spoilt(outcome, exc), 1, None
        # A bulk call's answers are handed in in order: a kept one could block the one before it.
        return outcome, 1, text if call.serves_all else self._buffer.keep(text)

    async def _parsed(self, call: Call, document: Document, redactor: Redactor) -> Bytes:
        """Return the text that the call's parser makes of an answer. Raises BadPayload."""
        assert call.parser is not None and self._run_parser is not None
        task = Parsing(call.parser, document, call.timeout_seconds, call.max_memory)
        try:
            done = await self._run_parser(task)
        except WorkLost as exc:
            raise Unstorable(f"the parser {call.parser}: {exc}") from None
        (job,) = done.jobs
        if job.outcome == "deferred":
            raise NoParser(job.error)
        if job.outcome != "success":
            raise Unstorable(job.error)
        return cleared(done.rows, redactor)

    def _secret(self, auth: Auth) -> str:
        """Return the secret of now; the last one while its file is gone. Raises SecretMissing."""
        try:
            self._secrets[auth] = auth.secret()
        except SecretMissing:
            if auth not in self._secrets:
                raise
        return self._secrets[auth]

    def _client(self, call: Call, secret: str) -> Client:
        found = self._clients.get((call.base_url, call.auth))
        if found is None or found.secret != secret:
            if self._tls is None and call.base_url.startswith(("https:", PER_ASSET)):
                self._tls = httpx2.create_ssl_context()  # SSL_CERT_FILE, SSL_CERT_DIR
            transport = self._transport or self._wire(call.auth, secret)
            found = Client(secret, transport, learn(secret))
            self._clients[call.base_url, call.auth] = found
        return found

    def _wire(self, auth: Auth, secret: str) -> Wire:
        if self._session is None:
            self._session = open_session(self._concurrency, IDLE_CONNECTION_SECONDS, self.traffic)
        return Wire(auth, secret, self._session, self._tls)

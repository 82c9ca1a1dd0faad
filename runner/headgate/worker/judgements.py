"""What an answer comes to, or a call without one: its outcome, its text, and what is told of it.

All that leaves here is without the secret.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeAlias

import aiohttp
import httpx2

from headgate.escapes import Bytes
from headgate.redaction import Redactor, Uncleared
from headgate.shown import redacted
from headgate.worker.bodies import Body
from headgate.worker.chunks import Call
from headgate.worker.patterns import LONGEST_HEAD
from headgate.worker.payloads import BadPayload, Unstorable, check_json, read_text
from headgate.worker.rules import Answer, Outcome
from headgate.worker.wire import LARGEST_HEAD, NEVER_SENT, is_head_too_large, is_no_http

Judged: TypeAlias = tuple[Outcome, int, Bytes | None]
Head: TypeAlias = dict[str, Any]


def headers_of(response: httpx2.Response) -> dict[str, str]:
    """Return an answer's headers by their names in small letters."""
    return {
        name.lower().decode("latin-1"): value.decode("latin-1")
        for name, value in response.headers.raw
    }


def head_of(call: Call, status: int, headers: Mapping[str, str], redactor: Redactor) -> Head | None:
    """Return the status and headers that the call asks for, without the secret, or None."""
    if not call.answers:
        return None
    head: Head = {"status": status}
    if call.answers == "headers":
        text = json.dumps(headers, ensure_ascii=False).replace("\\u0000", "")
        try:
            head["headers"] = json.loads(bytes(redactor.clear(text.encode())))
        except (Uncleared, ValueError):
            head["headers"] = {}
    return head


def start_of(body: Body, redactor: Redactor) -> str:
    """Return the part of a body that rules may see, as text without the secret."""
    start = bytes(body.data[:LONGEST_HEAD])
    is_cut = len(start) < len(body.data) or body.problem is not None
    try:
        clear = redactor.clear(start, cut_after=is_cut)
    except Uncleared as exc:
        return str(exc)
    return bytes(clear).decode("utf-8", "replace").replace("\0", "")


def no_answer(call: Call, exc: Exception) -> Judged:
    """Judge a call without an answer by its cause, as the transport's own exceptions mislead."""
    cause = exc.__cause__ if isinstance(exc, httpx2.HTTPError) and exc.__cause__ else exc
    if is_head_too_large(cause):
        reason = f"the answer's headers are larger than {LARGEST_HEAD} bytes, or too many"
        return Outcome("failed", "item", reason), 1, None
    status, detail, requests = "error:cut", "the connection broke", 1
    if isinstance(cause, NEVER_SENT):
        status, detail, requests = "error:connect", "could not connect", 0
        if isinstance(cause, aiohttp.ClientConnectorCertificateError):
            why = getattr(cause.certificate_error, "verify_message", "") or cause.strerror
            detail = f"its certificate is not trusted: {why}; SSL_CERT_FILE names whom to trust"
        elif isinstance(cause, aiohttp.ClientConnectorError) and cause.strerror:
            detail = f"could not connect: {cause.strerror}"
    elif isinstance(cause, TimeoutError):
        status, detail = "error:timeout", f"no answer within {call.timeout_seconds:g} seconds"
    elif isinstance(cause, aiohttp.ClientPayloadError):
        detail = "the connection broke within the answer"
    elif is_no_http(cause):
        detail = "what came is not valid HTTP"
    return call.rules.judge(Answer(status)).detailed(detail), requests, None


def text_of(answer: Answer, data: bytearray, redactor: Redactor) -> Bytes:
    """Return the text of a good answer, without the secret. Raises BadPayload."""
    text = read_text(data, answer.content_type)
    if answer.status == "200" and "json" in answer.content_type.lower():
        check_json(text)
    return cleared(text, redactor)


def cleared(text: Bytes, redactor: Redactor) -> Bytes:
    """Return a text without the secret. Raises Unstorable if it cannot be taken out."""
    try:
        return redactor.clear(text)
    except Uncleared as exc:
        raise Unstorable(f"the answer is {exc}") from None


def spoilt(outcome: Outcome, problem: BadPayload) -> Outcome:
    """Return the outcome of a job whose answer has a good status and a bad body."""
    reason = redacted(str(problem))
    return replace(outcome, outcome=problem.outcome, fault=problem.fault, reason=reason)

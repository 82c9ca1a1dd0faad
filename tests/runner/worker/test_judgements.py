"""What a call without an answer, or with a bad body, comes to, and what is told of an answer."""

from __future__ import annotations

import json

import aiohttp
import httpx2
import pytest

from headgate.redaction import REDACTED, Redactor
from headgate.worker.bodies import Body
from headgate.worker.chunks import Call
from headgate.worker.judgements import head_of, headers_of, no_answer, spoilt, start_of
from headgate.worker.payloads import BadPayload, Unstorable
from headgate.worker.rules import Outcome
from tests.limits import PATIENCE
from tests.runner.worker.parts import chunk_of

SECRET = "correct-horse-battery"


def call_of(**columns: object) -> Call:
    return Call.from_row(chunk_of(call=columns).call)


@pytest.mark.parametrize(
    ("cause", "reason", "requests"),
    [
        (aiohttp.ConnectionTimeoutError(), "could not connect", 0),
        (TimeoutError(), f"no answer within {PATIENCE:g} seconds", 1),
        (aiohttp.ClientPayloadError("short"), "the connection broke within the answer", 1),
        (aiohttp.ServerDisconnectedError(), "the connection broke", 1),
    ],
)
def test_a_call_without_an_answer_is_judged_by_the_transport_s_cause(
    cause: Exception, reason: str, requests: int
):
    error = httpx2.ReadError("what the transport made of it")
    error.__cause__ = cause

    outcome, counted, payload = no_answer(call_of(), error)

    assert (outcome.fault, counted, payload) == ("provider", requests, None)
    assert f"({reason})" in outcome.reason


def test_a_bad_body_keeps_the_charge_of_its_status():
    answered = Outcome("success", "item", "answered", charged=False)

    outcome = spoilt(answered, Unstorable("it is not text"))

    assert isinstance(Unstorable("x"), BadPayload)
    assert (outcome.outcome, outcome.reason, outcome.charged) == (
        Unstorable.outcome,
        "it is not text",
        False,
    )


@pytest.mark.parametrize(
    ("answers", "told"),
    [
        (None, None),
        ("status", {"status": 404}),
        ("headers", {"status": 404, "headers": {"x-key": REDACTED.decode(), "etag": '"7"'}}),
    ],
)
def test_of_an_answer_s_head_is_told_what_the_call_asks_for(
    answers: str | None, told: dict[str, object] | None
):
    response = httpx2.Response(404, headers={"X-Key": SECRET, "ETag": '"7"'})

    headers = headers_of(response)
    head = head_of(call_of(answers=answers), response.status_code, headers, Redactor(SECRET))

    assert head == told
    assert SECRET not in json.dumps(head)


def test_the_start_of_a_refused_body_holds_no_part_of_the_secret():
    body = Body()
    body.data.extend(f"no: {SECRET}".encode())

    assert start_of(body, Redactor(SECRET)) == f"no: {REDACTED.decode()}"

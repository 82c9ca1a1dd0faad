"""Trial of one job by hand: shows its request, and the result of an answer.

The database renders the request and ingests the answer as it does for runners, and rolls both back.
The runner's own client makes the call and judges its answer.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, LiteralString

import httpx2
from psycopg import Connection
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from headgate.errors import HeadgateError, InvalidValue, WrongPlan
from headgate.handlers import Pool
from headgate.worker import (
    Answer,
    Auth,
    Call,
    Caller,
    Reply,
    Rule,
    Rules,
    request_of,
    signed_headers,
    signed_url,
)

PREVIEW: LiteralString = """
select * from headgate.preview_request(
    p_operation => %(operation)s, p_asset_id => %(asset_id)s, p_pipeline => %(pipeline)s,
    p_params => %(params)s)
"""
TRY: LiteralString = """
select * from headgate.try_answer(
    p_operation => %(operation)s, p_asset_id => %(asset_id)s, p_answer => %(answer)s,
    p_pipeline => %(pipeline)s, p_params => %(params)s, p_head => %(head)s)
"""
CHARGE: LiteralString = "select * from headgate.charge_call(p_operation => %s)"


@dataclass(frozen=True, slots=True)
class Subject:
    """The job on trial: an operation for an asset, as in a run with these parameters."""

    operation: str
    asset_id: int
    pipeline: str | None
    params: dict[str, Any]

    def arguments(self, **more: Any) -> dict[str, Any]:
        """Return the arguments of the stored functions, with `more` added."""
        params = Jsonb(self.params)
        return {x: getattr(self, x) for x in self.__slots__} | {"params": params} | more


@dataclass(frozen=True, slots=True)
class Request:
    """An operation's request for an asset, without the secret."""

    row: DictRow
    """The row that preview_request returned."""
    call: Call

    @property
    def masked(self) -> dict[str, Any]:
        """Return the request as it would be sent, with the secret's variable for the secret.

        Raises HeadgateError if the request cannot be built.
        """
        if self.call.is_statement:
            given = json.loads(self.row["body"])
            return {
                "database": f"${self.call.auth.variable}",
                "statement": self.row["url"],
                "parameters": given if self.call.stage is None else given["parameters"],
            }
        try:
            request = request_of(self.call, self.row["url"], self.row["body"], self.row["headers"])
        except (ValueError, httpx2.InvalidURL, WrongPlan) as exc:
            raise HeadgateError(
                f"the request cannot be made: {exc}",
                hint="the job would fail before anything is sent: correct the operation's template",
            ) from exc
        mask = f"${self.call.auth.variable}"
        return {
            "method": request.method,
            "url": signed_url(request, self.call.auth, mask),
            "headers": dict(signed_headers(request.headers.raw, self.call.auth, mask)),
            "body": self.row["body"],
        }


class Recorder(Rules):
    """A provider's rules that record the last answer and the rule that matched it."""

    answer: Answer | None = None
    place: int | None = None
    """Index of the matching rule, counted from 0; None if no rule matched."""

    def find(self, answer: Answer) -> Rule | None:
        """Return the first rule that matches, and record it."""
        found = super().find(answer)
        self.answer = answer
        self.place = next((n for n, x in enumerate(self) if x is found), None)
        return found


class Canned(httpx2.AsyncBaseTransport):
    """Transport that returns one given answer to every request, without any network."""

    def __init__(self, status: int, content_type: str, body: bytes) -> None:
        self._status = status
        self._headers = {"content-type": content_type, "content-length": str(len(body))}
        self.body = body

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Return the answer with an unread body, like one from the network."""
        stream = httpx2.ByteStream(self.body)
        return httpx2.Response(self._status, headers=self._headers, stream=stream, request=request)


@dataclass(frozen=True, slots=True)
class Judged:
    """An answer, the rule that matched it, and the resulting outcome."""

    answer: Answer | None
    size: int | None
    """Bytes of a good answer's body."""
    rule: Mapping[str, Any] | None
    rule_no: int | None
    reply: Reply

    @property
    def fault(self) -> str | None:
        """Return who caused a failure; None for a success."""
        outcome = self.reply.outcome
        return None if outcome.is_success else outcome.fault


def preview(connection: Connection[DictRow], subject: Subject) -> Request | None:
    """Return the job's request; None if the operation makes no call.

    Raises InvalidValue if no request can be rendered.
    """
    row = connection.execute(PREVIEW, subject.arguments()).fetchone()
    if row is None or row["call"] is None:
        return None
    if row["url"] is None:
        raise InvalidValue(
            row["request_error"] or "no request could be written",
            hint="the job would fail before anything is sent: give the asset what is missing, or "
            "mark the field {...?} in the template",
        )
    return Request(row, Call.from_row(row["call"]))


def judge(request: Request, canned: Canned | None) -> Judged:
    """Judge the canned answer, or make the call and judge its answer. Raises SecretMissing."""
    rules = Recorder(request.call.rules)
    call = replace(request.call, rules=rules)
    if canned is not None:
        call = replace(call, auth=Auth())
    reply = asyncio.run(_fetch(call, request.row, canned))
    return Judged(
        answer=rules.answer,
        size=None if reply.payload is None else len(reply.payload),
        rule=None if rules.place is None else request.row["call"]["rules"][rules.place],
        rule_no=None if rules.place is None else rules.place + 1,
        reply=reply,
    )


async def _fetch(call: Call, row: DictRow, canned: Canned | None) -> Reply:
    if canned is not None and call.is_statement:
        outcome = call.rules.judge(Answer("sql:ok", {"content-type": "application/json"}))
        return Reply(outcome, 1, canned.body, 0)
    parsers = Pool(1)
    caller = Caller(1, transport=canned, run_parser=parsers.run)
    try:
        return await caller.fetch(call, row["url"], row["body"], row["headers"])
    finally:
        await caller.aclose()
        await parsers.aclose()


def ingest(
    connection: Connection[DictRow], subject: Subject, answer: str | None, head: str | None = None
) -> DictRow:
    """Return the result of ingesting an answer, with the rows written; all is rolled back."""
    row = connection.execute(TRY, subject.arguments(answer=answer, head=head)).fetchone()
    assert row is not None
    return row


def charge_call(connection: Connection[DictRow], operation: str) -> DictRow:
    """Charge the units of a call to used_elsewhere. Raises InvalidValue if not possible."""
    row = connection.execute(CHARGE, (operation,)).fetchone()
    assert row is not None
    return row

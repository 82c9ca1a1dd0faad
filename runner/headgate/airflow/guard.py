"""Middleware that rejects a run with an unknown parameter before the run is created.

Airflow accepts unknown keys of a run's conf as parameters. This middleware in front of Airflow's
API, which its pages use too, answers 400 with the parameter's name. It also answers 400 to a
back-fill of a plan whose requests name no date. Runs that are created in other ways are rejected by
their first task.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, MutableMapping
from difflib import get_close_matches
from typing import Any, Final
from urllib.parse import quote, unquote

from headgate.airflow.dags import ANY_PARAMETER, NO_BACKFILL, TAG

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

RUNS: Final = re.compile(r"/api/v2/dags/([^/]+)/dagRuns/?$")
BACKFILLS: Final = re.compile(r"/api/v2/backfills(?:/dry_run)?/?$")
LONGEST: Final = 1024 * 1024
"""Maximum bytes of a request that is checked; a longer one is passed on unchecked."""


class ParameterGuard:
    """ASGI middleware that checks the parameters of requested runs and backfills."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer 400 to a request for a run that the DAG cannot do; pass all others on."""
        if scope["type"] != "http" or scope["method"] != "POST" or not _is_of_a_run(scope["path"]):
            await self._app(scope, receive, send)
            return
        messages = await _read(receive)
        is_backfill, conf = bool(BACKFILLS.search(scope["path"])), _conf_of(messages)
        if (conf or is_backfill) and (dag_id := _dag_of(scope["path"], messages)):
            dag = await self._details(scope, dag_id)
            if dag and (detail := _fault(dag, conf, is_backfill)):
                await _refuse(send, detail)
                return
        await self._app(scope, _again(messages, receive), send)

    async def _details(self, scope: Message, dag_id: str) -> dict[str, Any]:
        """Return the DAG's details as the requesting user sees them; {} if access is denied."""
        prefix = scope["path"].partition("/api/v2/")[0]
        path = f"{prefix}/api/v2/dags/{quote(dag_id, safe='')}/details"
        headers = [x for x in scope["headers"] if x[0] not in (b"content-length", b"content-type")]
        asked = {**scope, "method": "GET", "path": unquote(path), "query_string": b""}
        asked |= {"raw_path": path.encode(), "headers": headers, "state": {}}
        answer: list[Message] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Message) -> None:
            answer.append(message)

        await self._app(asked, receive, send)
        return _document(answer) if answer[0]["status"] == 200 else {}


async def _read(receive: Receive) -> list[Message]:
    """Receive the request's messages, up to LONGEST bytes of its body."""
    messages = [await receive()]
    size = len(messages[0].get("body", b""))
    while messages[-1].get("more_body") and size <= LONGEST:
        messages.append(await receive())
        size += len(messages[-1].get("body", b""))
    return messages


def _again(messages: list[Message], receive: Receive) -> Receive:
    """Return a `receive` that replays the given messages and then receives further ones."""
    waiting = iter(messages)

    async def receive_again() -> Message:
        for message in waiting:
            return message
        return await receive()

    return receive_again


def _is_of_a_run(path: str) -> bool:
    return bool(RUNS.search(path) or BACKFILLS.search(path))


def _dag_of(path: str, messages: list[Message]) -> str | None:
    if found := RUNS.search(path):
        return unquote(found[1])
    dag_id = _document(messages).get("dag_id")
    return dag_id if isinstance(dag_id, str) else None


def _conf_of(messages: list[Message]) -> dict[str, Any]:
    """Return the requested parameters; {} if there are none or the body is malformed."""
    document = _document(messages)
    conf = document.get("conf") or document.get("dag_run_conf")
    return conf if isinstance(conf, dict) else {}


def _document(messages: list[Message]) -> dict[str, Any]:
    try:
        found = json.loads(b"".join(x.get("body", b"") for x in messages))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _fault(dag: dict[str, Any], conf: dict[str, Any], is_backfill: bool) -> str | None:
    """Return the error about unknown parameters or dates; None if there is none.

    Checked are Headgate's DAGs that have a snapshot of their parameters.
    """
    tags = {x["name"] for x in dag["tags"]}
    if TAG not in tags or ANY_PARAMETER in tags:
        return None
    if is_backfill and NO_BACKFILL in tags:
        return (
            f"pipeline {dag['dag_id']} has no request that names a date: its runs for other days "
            "would do today's work (name {run.date} in the path, query, headers or body of one)"
        )
    known = list(dag["params"] or {})
    unknown = [x for x in conf if x not in known]
    if not unknown:
        return None
    near = get_close_matches(unknown[0], known, 1)
    hint = f"; did you mean {near[0]}?" if near else ""
    return f"DAG {dag['dag_id']} has no parameter {', '.join(map(repr, unknown))}{hint}"


async def _refuse(send: Send, detail: str) -> None:
    body = json.dumps({"detail": detail}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 400, "headers": headers})
    await send({"type": "http.response.body", "body": body})

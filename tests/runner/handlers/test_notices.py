"""News leave the outbox: by real mail and real HTTP on loopback, each once, whoever dies."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any

import pytest
from aiosmtpd.controller import Controller

from headgate.database import connect, dsn_of
from headgate.settings import Settings
from headgate.worker.worker import work
from tests.limits import PATIENCE
from tests.plan import Plan

ALERT = {"p_severity": "error", "p_subject": "disk", "p_message": "It is full."}
UNSENT = (
    "select count(*) from headgate.asset_processing_state as s"
    " join headgate.operations as o using (operation_id)"
    " where o.universe = 'outbox' and (s.next_due_at is not null or s.chunk_id is not null)"
)
OPEN = "select count(*) from headgate.v_recent_executions where finished_at is null"
FAILED = "select last_error from headgate.v_failed_assets"


@dataclass
class Hook:
    """A receiver of hooks, with a ledger of all it was sent."""

    url: str = ""
    status: int = 200
    says: str = "ok"
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    got_one: Event = field(default_factory=Event)
    may_answer: Event = field(default_factory=Event)

    @property
    def keys(self) -> Counter[str]:
        """Return how often each Idempotency-Key came."""
        return Counter(key for key, _ in self.calls)


@dataclass
class Mailbox:
    """A mail server's ledger; `says` is its answer to a mail."""

    port: int = 0
    says: str = "250 taken"
    mails: list[Any] = field(default_factory=list)

    async def handle_DATA(self, *given: Any) -> str:
        """Take a mail, or refuse it."""
        if self.says.startswith("250"):
            self.mails.append(message_from_bytes(given[-1].content))
        return self.says


@pytest.fixture
def hook() -> Iterator[Hook]:
    """Run a hook on loopback."""
    hook = Hook()
    hook.may_answer.set()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            hook.calls.append((self.headers["Idempotency-Key"], json.loads(body)))
            hook.got_one.set()
            hook.may_answer.wait(PATIENCE)
            self.send_response(hook.status)
            self.send_header("Content-Length", str(len(hook.says)))
            self.end_headers()
            self.wfile.write(hook.says.encode())

        def handle(self) -> None:
            try:
                super().handle()
            except ConnectionError:  # who asked is dead
                pass

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        hook.url = f"http://127.0.0.1:{server.server_port}/services/T0/B0/secret-path"
        yield hook
        hook.may_answer.set()
        server.shutdown()


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    """Run a mail server on loopback."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    mailbox = Mailbox(port)
    controller = Controller(mailbox, hostname="127.0.0.1", port=port)
    controller.start()
    yield mailbox
    controller.stop()


@pytest.fixture
def plan(
    database: Settings, hook: Hook, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Plan]:
    """Declare a site's channels and routes."""
    monkeypatch.setenv("OPS_SLACK_URL", hook.url)
    with connect(database, "test") as connection:
        with connection.transaction():
            for call in (
                "begin_plan('site')",
                "put_channel('ops', 'slack', secret_name => 'OPS_SLACK_URL')",
                "put_channel('inbox', 'mail', host => '127.0.0.1', "
                f"port => {mailbox.port}, sender => 'headgate@site.test', recipients => '{{admin@site.test}}')",
                "put_route('ops_alerts', 'ops', 'alert', severity => 'error')",
                "put_route('mail_alerts', 'inbox', 'alert', severity => 'error')",
                "put_route('ops_runs', 'ops', 'run', statuses => '{failed}')",
                "end_plan()",
            ):
                connection.execute(f"select headgate.{call}".encode())
        yield Plan(connection)


@pytest.fixture
def send(database: Settings, plan: Plan) -> Callable[..., Any]:
    """Let runners work until nothing waits, or until something failed."""

    async def is_done() -> bool:
        is_sent = plan.scalar(UNSENT) == 0 or bool(plan.sql(FAILED))
        return is_sent and plan.scalar(OPEN) == 0

    async def send(runners: int = 1) -> None:
        async with asyncio.timeout(PATIENCE):
            await asyncio.gather(
                *(work(database, until=is_done, processes=2) for _ in range(runners))
            )

    return send


async def test_r4_mail_and_slack_are_sent_once_for_an_event(
    plan: Plan, send: Callable[..., Any], hook: Hook, mailbox: Mailbox
):
    for _ in range(2):
        plan.call("raise_alert", **ALERT)
    await send()

    (key, said), (mail,) = *hook.calls, mailbox.mails
    assert said["text"].startswith("*[error] disk*\nIt is full.\nRaised at ")
    assert (mail["To"], mail["From"]) == ("admin@site.test", "headgate@site.test")
    assert mail["Subject"] == "[error] disk"
    assert mail.get_payload().startswith("It is full.")
    assert mail["Message-ID"].endswith("@headgate>") and len(key) == 40


async def test_two_runners_send_each_of_many_once(
    plan: Plan, send: Callable[..., Any], hook: Hook, mailbox: Mailbox
):
    for number in range(12):
        for channel in ("ops", "inbox"):
            plan.call(
                "notify",
                p_channel=channel,
                p_subject=f"News {number}",
                p_body="x",
                p_key=f"event {number}",
            )
    await send(runners=2)

    assert sorted(hook.keys.values()) == [1] * 12
    assert Counter(x["Subject"] for x in mailbox.mails) == {f"News {n}": 1 for n in range(12)}


def secret_is_nowhere(plan: Plan, secret: str) -> bool:
    """Return whether no error, alert or history holds it."""
    kept = plan.sql(
        "select to_jsonb(x)::text as kept from headgate.asset_processing_details as x"
        " union all select to_jsonb(x)::text from headgate.asset_processing_state as x"
        " union all select to_jsonb(x)::text from headgate.alerts as x"
        " union all select to_jsonb(x)::text from headgate.channels as x"
    )
    return not any(secret in x["kept"] for x in kept)


@pytest.mark.parametrize(
    ("status", "says"), [(404, "no_service"), (403, "invalid_token"), (410, "channel_is_archived")]
)
async def test_a_revoked_hook_is_said_once_and_the_alert_stays(
    plan: Plan, send: Callable[..., Any], hook: Hook, status: int, says: str
):
    hook.status, hook.says = status, says
    plan.call("raise_alert", **ALERT)
    await send()

    (failed,) = [x["last_error"] for x in plan.sql(FAILED)]
    assert failed == (
        f"channel ops: the hook answers {status} {says}; it was revoked: make a new one and set "
        "OPS_SLACK_URL"
    )
    assert len(hook.calls) == 1
    raised = {
        x["subject"] for x in plan.sql("select * from headgate.v_alerts where resolved_at is null")
    }
    assert "disk" in raised
    assert secret_is_nowhere(plan, "secret-path")


async def test_a_mail_server_that_refuses_is_said_once(
    plan: Plan, send: Callable[..., Any], mailbox: Mailbox
):
    mailbox.says = "554 no thank you"
    plan.call("raise_alert", **ALERT)
    await send()

    assert [x["last_error"] for x in plan.sql(FAILED)] == [
        f"channel inbox: mail server 127.0.0.1:{mailbox.port} refuses the mail: 554 no thank you"
    ]


async def test_a_missing_secret_is_named_and_the_notice_waits(
    database: Settings, plan: Plan, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("OPS_SLACK_URL")
    plan.call("notify", p_channel="ops", p_subject="News", p_body="x", p_key="k")
    alert = "select message from headgate.v_alerts where subject = 'step send of notify'"

    async def is_raised() -> bool:
        return bool(plan.sql(alert)) and plan.scalar(OPEN) == 0

    async with asyncio.timeout(PATIENCE):
        await work(database, until=is_raised, processes=1)

    told = plan.scalar(alert)
    assert "channel ops needs the environment variable OPS_SLACK_URL, which is not set" in told
    assert plan.scalar(UNSENT) == 1


@pytest.mark.parametrize("delivery", ["at_least_once", "at_most_once"])
async def test_a_runner_killed_between_the_call_and_its_completion(
    database: Settings, plan: Plan, send: Callable[..., Any], hook: Hook, delivery: str
):
    plan.sql(
        "update headgate.operations set delivery = %(delivery)s where name = 'send_notices'",
        delivery=delivery,
    )
    hook.may_answer.clear()
    plan.call("notify", p_channel="ops", p_subject="News", p_body="x", p_key="k")
    doomed = subprocess.Popen(
        [sys.executable, "-m", "headgate", "worker", "--processes", "1"],
        env={**os.environ, "HEADGATE_DSN": dsn_of(database), "HEADGATE_DB": str(database.db)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    assert await asyncio.to_thread(hook.got_one.wait, PATIENCE)
    doomed.send_signal(signal.SIGKILL)
    doomed.wait()
    hook.may_answer.set()
    plan.sql("update headgate.chunks set leased_until = clock_timestamp() where state = 'leased'")
    plan.sql("select pgmq.set_vt(c.queue, c.msg_id, 0) from headgate.chunks as c")
    await send()

    reasons = {
        x["reason"] for x in plan.sql("select reason from headgate.asset_processing_details")
    }
    if delivery == "at_most_once":
        assert list(hook.keys.values()) == [1]
        assert {str(x).rpartition(":")[0] for x in reasons} == {
            "internal: unknown whether it was sent"
        }
    else:
        assert list(hook.keys.values()) == [2]  # under one key, by which a receiver knows it
        assert reasons == {None}

"""Notifications leave the outbox by real mail and HTTP on 127.0.0.1, each once, despite killed runners."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from headgate.database import connect, dsn_of
from headgate.demo.services import StandIn, running
from headgate.demo.services.mail import MailServer, mail_server, make_certificate
from headgate.demo.services.slack import HOOK, slack, texts
from headgate.migrate.run import migrate
from headgate.settings import Settings
from headgate.worker.worker import work
from tests import clock
from tests.limits import PATIENCE
from tests.plan import Plan
from tests.runner.small_plan import write_plan
from tests.servers import core_with

ALERT = {"p_severity": "error", "p_subject": "disk", "p_message": "It is full."}
WAITING = "select count(*) from headgate.v_notices where status = 'waiting'"
OPEN = "select count(*) from headgate.v_recent_executions where finished_at is null"
FAILED = "select last_error from headgate.v_failed_assets where operation like 'send%'"
SHOWN = "select channel, status, error from headgate.v_notices order by channel"
Services = dict[str, StandIn]


@pytest.fixture(scope="module")
def notify_template(
    clone: Callable[[Settings], Settings],
    core_template: Settings,
    seed_data: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Settings:
    """Add the plan that sends to the core, the day before: beside all plans a site's own takes three times as long."""
    db = core_with(tmp_path_factory.mktemp("notify") / "db", seed_data / "db", "notify")
    settings = replace(clone(core_template), db=db)
    with connect(settings, "test") as connection:
        connection.execute(clock.moved(settings.database, clock.NOW - timedelta(days=1)))
    migrate(settings)
    return settings


@pytest.fixture
def database(clone_for_test: Callable[[Settings], Settings], notify_template: Settings) -> Settings:
    """Clone the database with that plan."""
    return replace(clone_for_test(notify_template), db=notify_template.db)


@pytest.fixture
def services() -> Iterator[Services]:
    """Run stand-ins for Slack and a web hook."""
    hook = StandIn("hook", {("POST", "/hook"): lambda _: "taken"})
    with running((slack(), hook)) as services:
        yield services


@pytest.fixture
def mailbox() -> Iterator[MailServer]:
    """Run a mail server."""
    with mail_server() as mailbox:
        yield mailbox


def keys(service: StandIn) -> Counter[str]:
    """Return how often each Idempotency-Key was received."""
    return Counter(x.ask.headers["Idempotency-Key"] for x in service.calls)


@pytest.fixture
def plan(
    database: Settings,
    services: Services,
    mailbox: MailServer,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Plan]:
    """Declare a site's channels and routes."""
    monkeypatch.setenv("OPS_SLACK_URL", services["slack"].url + HOOK)
    monkeypatch.setenv("HOOK_URL", services["hook"].url + "/hook")
    with connect(database, "test") as connection:
        with connection.transaction():
            for call in (
                "begin_plan('site')",
                "put_channel('ops', 'slack', secret_name => 'OPS_SLACK_URL')",
                "put_channel('hook', 'webhook', secret_name => 'HOOK_URL')",
                "put_channel('inbox', 'mail', host => '127.0.0.1', "
                f"port => {mailbox.port}, sender => 'headgate@site.test', recipients => '{{admin@site.test}}')",
                "put_route('ops_alerts', 'ops', 'alert', severity => 'error')",
                "put_route('mail_alerts', 'inbox', 'alert', severity => 'error')",
                "put_route('ops_runs', 'ops', 'run', statuses => '{failed}')",
                "put_route('mail_runs', 'inbox', 'run', statuses => '{failed}')",
                "end_plan()",
            ):
                connection.execute(f"select headgate.{call}".encode())
        yield Plan(connection)


@pytest.fixture
def send(database: Settings, plan: Plan) -> Callable[..., Any]:
    """Let runners work until no notice waits, or until one has failed."""

    async def is_done() -> bool:
        is_sent = plan.scalar(WAITING) == 0 or bool(plan.sql(FAILED))
        return is_sent and plan.scalar(OPEN) == 0

    async def send(runners: int = 1) -> None:
        async with asyncio.timeout(PATIENCE):
            await asyncio.gather(
                *(work(database, until=is_done, processes=2) for _ in range(runners))
            )

    return send


def notify(plan: Plan, channel: str, number: int = 0) -> None:
    """Write a notice to the outbox."""
    key = f"event {number}"
    plan.call("notify", p_channel=channel, p_subject=f"News {number}", p_body="x", p_key=key)


async def test_an_alert_is_sent_once_by_mail_and_to_slack(
    plan: Plan, send: Callable[..., Any], services: Services, mailbox: MailServer
):
    for _ in range(2):
        plan.call("raise_alert", **ALERT)
    await send()

    (said,), (mail,) = texts(services["slack"]), mailbox.mails
    assert said.startswith("*[error] disk*\nIt is full.\nRaised at ")
    assert (mail["To"], mail["From"]) == ("admin@site.test", "headgate@site.test")
    assert mail["Subject"] == "[error] disk"
    assert str(mail.get_payload()).startswith("It is full.")
    assert mail["Message-ID"].endswith("@headgate>")


async def test_r4_failure_mail_and_slack_message_with_dag_task_time_and_error_sent_once(
    plan: Plan, send: Callable[..., Any], services: Services, mailbox: MailServer
):
    write_plan(plan, base_url=services["hook"].url, assets=1)
    plan.call("run_pipeline", p_pipeline="small_shop", p_run_id="r1")
    await send()
    await send()

    (said,) = [x for x in texts(services["slack"]) if "small" in x]
    (mail,) = [x for x in mailbox.mails if "small" in x["Subject"]]
    run = plan.row("execution_status", p_pipeline="small_shop", p_run_id="r1")
    assert run["status"] == "failed"
    assert said.splitlines()[0] == "*small_shop failed: run r1*"
    assert said.splitlines()[1:3] == ["DAG: small_shop", "Run: r1"]
    (task,) = [x for x in said.splitlines() if x.startswith("Failed task: all, at 20")]
    assert task.partition(" UTC: ")[2] != "no error is known"
    assert said.endswith("headgate retry r1 --pipeline small_shop goes on with it")
    assert mail["Subject"] == "small_shop failed: run r1"
    assert task in str(mail.get_payload(decode=True))


async def test_two_runners_send_each_of_many_once(
    plan: Plan, send: Callable[..., Any], services: Services, mailbox: MailServer
):
    for number in range(12):
        for channel in ("ops", "inbox", "hook"):
            notify(plan, channel, number)
    await send(runners=2)

    for service in services.values():
        assert sorted(keys(service).values()) == [1] * 12
    assert Counter(x["Subject"] for x in mailbox.mails) == {f"News {n}": 1 for n in range(12)}
    assert {x["status"] for x in plan.sql(SHOWN)} == {"sent"}


def secret_is_nowhere(plan: Plan, secret: str) -> bool:
    """Return whether no error, alert or history contains the secret."""
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
async def test_a_revoked_hook_is_reported_once_and_the_alert_stays(
    plan: Plan, send: Callable[..., Any], services: Services, status: int, says: str
):
    services["slack"].fail("status", status=status, says=says)
    plan.call("raise_alert", **ALERT)
    await send()

    (failed,) = [x["last_error"] for x in plan.sql(FAILED)]
    assert failed == (
        f"channel ops: the hook answers {status} {says}; it was revoked: make a new one and set "
        "OPS_SLACK_URL"
    )
    assert len(services["slack"].calls) == 1
    raised = plan.sql("select subject from headgate.v_alerts where resolved_at is null")
    assert {"subject": "disk"} in raised
    assert secret_is_nowhere(plan, "secret-path")


async def test_a_web_hook_that_answers_500_and_heals_gets_it_under_the_same_key(
    plan: Plan, send: Callable[..., Any], services: Services
):
    plan.sql("update headgate.operations set backoff = '0.1 s' where name = 'send_keyed_notices'")
    services["hook"].fail("status", times=2, status=500)
    notify(plan, "hook")
    await send()

    assert list(keys(services["hook"]).values()) == [3]
    assert services["hook"].served == 1
    assert [x["status"] for x in plan.sql(SHOWN)] == ["sent"]


async def test_slack_that_is_not_there_for_now_gets_it_later_and_once(
    plan: Plan, send: Callable[..., Any], services: Services
):
    plan.sql("update headgate.operations set backoff = '0.1 s' where name = 'send_notices'")
    services["slack"].fail("status", times=2, status=503, says="service_unavailable")
    notify(plan, "ops")
    await send()

    assert len(texts(services["slack"])) == 1
    assert [x["status"] for x in plan.sql(SHOWN)] == ["sent"]


@pytest.mark.parametrize("fault", ["status", "cut_after"])
async def test_a_notice_that_slack_may_have_posted_is_unknown_and_not_sent_twice(
    plan: Plan, send: Callable[..., Any], services: Services, fault: str
):
    services["slack"].fail(fault)
    notify(plan, "ops")
    await send()

    (shown,) = plan.sql(SHOWN)
    assert shown["status"] == "unknown"
    assert shown["error"].startswith("internal: unknown whether it was sent: channel ops: ")
    assert len(services["slack"].calls) == 1


@pytest.mark.parametrize(
    ("part", "refused"),
    [("MAIL", "the sender headgate@site.test"), ("RCPT", "the recipients"), ("DATA", "the mail")],
)
async def test_a_mail_server_that_refuses_is_reported_once(
    plan: Plan, send: Callable[..., Any], mailbox: MailServer, part: str, refused: str
):
    mailbox.refusals[part] = "554 no thank you"
    notify(plan, "inbox")
    await send()

    assert [x["last_error"] for x in plan.sql(FAILED)] == [
        f"channel inbox: mail server 127.0.0.1:{mailbox.port} refuses {refused}: 554 no thank you"
    ]


@pytest.fixture
def strict(plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MailServer]:
    """Send mail through a server that requires a password, and TLS for it."""
    certificate = make_certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    monkeypatch.setenv("MAIL_PASSWORD", "open sesame")
    with mail_server(certificate, users={"headgate": "open sesame"}) as server:
        changes = {"port": server.port, "username": "headgate", "secret_name": "MAIL_PASSWORD"}
        plan.call("set_channel", p_channel="inbox", p_changes=changes)
        yield server


async def test_a_password_goes_to_a_mail_server_over_tls(
    plan: Plan, send: Callable[..., Any], strict: MailServer
):
    notify(plan, "inbox")
    await send()

    assert strict.logins == ["headgate"]
    assert [x["Subject"] for x in strict.mails] == ["News 0"]
    assert secret_is_nowhere(plan, "open sesame")


async def test_a_password_that_is_refused_is_reported_once_without_it(
    plan: Plan, send: Callable[..., Any], strict: MailServer, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("MAIL_PASSWORD", "open barley")
    notify(plan, "inbox")
    await send()

    assert [x["last_error"] for x in plan.sql(FAILED)] == [
        f"channel inbox: mail server 127.0.0.1:{strict.port} refuses user headgate (535): check "
        "MAIL_PASSWORD"
    ]
    assert strict.mails == []
    assert secret_is_nowhere(plan, "open barley")


async def test_no_password_goes_to_a_mail_server_whose_certificate_nobody_knows(
    plan: Plan, send: Callable[..., Any], strict: MailServer, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("SSL_CERT_FILE")
    plan.sql("update headgate.operations set backoff = '0.1 s' where name = 'send_notices'")
    notify(plan, "inbox")
    await send()

    assert [x["last_error"] for x in plan.sql(FAILED)] == [
        f"channel inbox: mail server 127.0.0.1:{strict.port}: no connection "
        "(SSLCertVerificationError)"
    ]
    assert (strict.logins, strict.mails) == ([], [])


async def test_no_password_goes_to_a_mail_server_without_tls(
    plan: Plan, send: Callable[..., Any], strict: MailServer, mailbox: MailServer
):
    plan.call("set_channel", p_channel="inbox", p_changes={"port": mailbox.port})
    notify(plan, "inbox")
    await send()

    assert [x["last_error"] for x in plan.sql(FAILED)] == [
        f"channel inbox: mail server 127.0.0.1:{mailbox.port} offers no TLS: no password is sent "
        "in the clear"
    ]
    assert mailbox.mails == []


async def test_a_mail_server_that_hangs_up_may_have_taken_it(
    plan: Plan, send: Callable[..., Any], mailbox: MailServer
):
    mailbox.hangs_up = True
    notify(plan, "inbox")
    await send()

    assert len(mailbox.mails) == 1
    assert [x["status"] for x in plan.sql(SHOWN)] == ["unknown"]


async def test_a_mail_server_that_is_not_there_is_asked_again_and_then_said(
    plan: Plan, send: Callable[..., Any], mailbox: MailServer
):
    plan.sql("update headgate.operations set backoff = '0.1 s' where name = 'send_notices'")
    plan.sql("update headgate.channels set port = 1 where name = 'inbox'")
    notify(plan, "inbox")
    await send()

    assert [x["last_error"] for x in plan.sql(FAILED)] == [
        "channel inbox: mail server 127.0.0.1:1: no connection (ConnectionRefusedError)"
    ]
    assert plan.scalar(WAITING) == 1  # the next run tries it again


async def test_a_missing_secret_is_named_and_the_notice_waits(
    database: Settings, plan: Plan, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("OPS_SLACK_URL")
    notify(plan, "ops")
    alert = "select message from headgate.v_alerts where subject = 'step send of notify'"

    async def is_raised() -> bool:
        return bool(plan.sql(alert)) and plan.scalar(OPEN) == 0

    async with asyncio.timeout(PATIENCE):
        await work(database, until=is_raised, processes=1)

    told = "channel ops needs the environment variable OPS_SLACK_URL, which is not set"
    (shown,) = plan.sql(SHOWN)
    assert told in plan.scalar(alert)
    assert (shown["status"], told in shown["error"]) == ("waiting", True)


@pytest.mark.parametrize(
    ("channel", "service", "calls", "status"),
    [("ops", "slack", 1, "unknown"), ("hook", "hook", 2, "sent")],
)
async def test_a_sender_killed_after_its_call_sends_nothing_twice_but_under_one_key(
    database: Settings,
    plan: Plan,
    send: Callable[..., Any],
    services: Services,
    channel: str,
    service: str,
    calls: int,
    status: str,
):
    service_asked = services[service]
    service_asked.hold()
    notify(plan, channel)
    doomed = subprocess.Popen(
        [sys.executable, "-m", "headgate", "worker", "--processes", "1"],
        env={**os.environ, "HEADGATE_DSN": dsn_of(database), "HEADGATE_DB": str(database.db)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    async with asyncio.timeout(PATIENCE):
        while not service_asked.arrived:
            await asyncio.sleep(0.02)
    doomed.send_signal(signal.SIGKILL)
    doomed.wait()
    service_asked.release()
    plan.sql("update headgate.chunks set leased_until = clock_timestamp() where state = 'leased'")
    plan.sql("select pgmq.set_vt(c.queue, c.msg_id, 0) from headgate.chunks as c")
    await send()

    assert service_asked.arrived == calls
    assert len(keys(service_asked)) <= 1
    assert [x["status"] for x in plan.sql(SHOWN)] == [status]

"""[R4] Recipients of failed runs: notified by mail and Slack, once, with DAG, task, time and error."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator

import pytest

from headgate.demo.services import StandIn, running
from headgate.demo.services.mail import MailServer, mail_server
from headgate.demo.services.slack import HOOK, slack, texts
from headgate.worker.worker import work
from tests.acceptance.recommender.conftest import World
from tests.limits import PATIENCE

TRAINING = "recommender_training_pipeline"
INTEGRATION = "noblestride_integration_pipeline"
BUSY = (
    "select count(*) from headgate.v_notices where status = 'waiting' union all"
    " select count(*) from headgate.v_recent_executions where finished_at is null"
)


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    """Run a Slack stand-in, whose hook the runners know."""
    with running([slack()]) as services:
        monkeypatch.setenv("RECOMMENDER_SLACK_URL", services["slack"].url + HOOK)
        yield services["slack"]


@pytest.fixture
def mailbox(world: World) -> Iterator[MailServer]:
    """Run a mail server, and set it as this environment's."""
    with mail_server() as mailbox:
        world.plan.call(
            "set_channel",
            p_channel="recommender_mail",
            p_changes={
                "host": "127.0.0.1",
                "port": mailbox.port,
                "recipients": ["team@noblestride.test"],
            },
        )
        yield mailbox


@pytest.fixture
def send(world: World) -> Callable[[], Awaitable[None]]:
    """Let a runner work until no notice waits."""

    async def is_done() -> bool:
        return all(x["count"] == 0 for x in world.plan.sql(BUSY))

    async def send() -> None:
        async with asyncio.timeout(PATIENCE):
            await work(world.settings, until=is_done, processes=1)

    return send


@pytest.mark.parametrize(
    ("pipeline", "task"), [(TRAINING, "check_fastapi_health"), (INTEGRATION, "check_services")]
)
async def test_r4_a_failed_run_is_reported_once_by_mail_and_slack_with_dag_task_time_and_error(
    world: World,
    hook: StandIn,
    mailbox: MailServer,
    send: Callable[[], Awaitable[None]],
    pipeline: str,
    task: str,
):
    world.fastapi.fail("status", status=503)
    world.nodejs.fail("status", status=503)
    run_id = await world.run(pipeline)
    await send()
    await send()

    (said,), (mail,) = texts(hook), mailbox.mails
    lines = said.splitlines()
    assert lines[0] == f"*{pipeline} failed: run {run_id}*"
    assert lines[1:3] == [f"DAG: {pipeline}", f"Run: {run_id}"]
    assert [x for x in lines if x.startswith("Status: failed, at 20")]
    (failed,) = [x for x in lines if x.startswith("Failed task: ")]
    told, _, error = failed.partition(" UTC: ")
    assert told.startswith(f"Failed task: {task}, at 20")
    assert "503" in error
    assert lines[-1].endswith(f"headgate retry {run_id} --pipeline {pipeline} goes on with it")
    assert mail["To"] == "team@noblestride.test"
    assert mail["Subject"].split() == [
        pipeline,
        "failed:",
        "run",
        run_id,
    ]  # long header lines are folded
    assert failed in str(mail.get_payload(decode=True))


async def test_r4_a_training_that_is_cancelled_is_reported_and_one_that_succeeds_is_not(
    world: World, hook: StandIn, mailbox: MailServer, send: Callable[[], Awaitable[None]]
):
    await world.run(TRAINING)
    world.plan.call("run_pipeline", p_pipeline=TRAINING, p_run_id="stopped")
    world.plan.call("cancel_execution", p_pipeline=TRAINING, p_run_id="stopped")
    await send()

    subject = f"{TRAINING} cancelled: run stopped"
    assert [x.splitlines()[0] for x in texts(hook)] == [f"*{subject}*"]
    assert [x["Subject"].split() for x in mailbox.mails] == [subject.split()]

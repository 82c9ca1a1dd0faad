"""Notices in the outbox: one per event and channel, in the transaction of the event."""

from __future__ import annotations

import shlex

import pytest

from tests.db.toy import Toy
from tests.docs import ROOT, blocks

NOTICES = (
    "select a.group_key as channel, a.attributes ->> 'subject' as subject,"
    " a.attributes ->> 'body' as body, s.next_due_at is not null as is_due"
    " from headgate.assets as a left join headgate.asset_processing_state as s using (asset_id)"
    " where a.universe in ('outbox', 'keyed_outbox') order by a.asset_id"
)


@pytest.fixture
def site(toy: Toy) -> Toy:
    """Two channels and their routes."""
    for call in (
        "begin_plan('site')",
        "put_channel('ops', 'slack', secret_name => 'OPS_HOOK')",
        "put_channel('dev', 'webhook', secret_name => 'DEV_HOOK')",
        "put_route('errors', 'ops', 'alert', severity => 'error')",
        "put_route('screener', 'dev', 'alert', subject => 'screener%')",
        "put_route('failures', 'ops', 'run', pipeline => 'pl%', statuses => '{failed,cancelled}')",
        "end_plan()",
    ):
        toy.connection.execute(f"select headgate.{call}".encode())
    return toy


def notify(toy: Toy, key: str = "k", channel: str = "ops") -> None:
    """Write a notice to the outbox."""
    toy.call("notify", p_channel=channel, p_subject="News", p_body="It works.", p_key=key)


def subjects(toy: Toy) -> list[tuple[str, str]]:
    """Return the notices by channel and subject."""
    return [(x["channel"], x["subject"]) for x in toy.sql(NOTICES)]


def test_an_event_is_one_notice_for_each_channel(site: Toy):
    for _ in range(2):
        notify(site)
    notify(site, channel="dev")
    notify(site, "another")

    assert subjects(site) == [("ops", "News"), ("dev", "News"), ("ops", "News")]
    assert all(x["is_due"] for x in site.sql(NOTICES))


def test_an_unknown_channel_is_refused_with_those_that_there_are(site: Toy):
    with site.refused("HG001", "no channel 'opps'", "ops"):
        notify(site, channel="opps")
    with site.refused("HG008"):
        notify(site, "")


def test_alerts_go_where_their_severity_and_subject_say(site: Toy):
    for severity, subject in (("error", "disk"), ("warning", "screener is old"), ("warning", "x")):
        site.call("raise_alert", p_severity=severity, p_subject=subject, p_message="Look.")
        site.call("raise_alert", p_severity=severity, p_subject=subject, p_message="Look.")

    assert subjects(site) == [("ops", "[error] disk"), ("dev", "[warning] screener is old")]
    assert site.sql(NOTICES)[0]["body"] == "Look.\nRaised at 2024-03-05 12:00 UTC."


def test_an_alert_about_the_sending_itself_is_not_sent(site: Toy):
    for subject in (
        "step send of notify",
        "DAG notify",
        "DAG notify is late",
        "operation send_notices",
    ):
        site.sql(
            "insert into headgate.alerts (severity, subject, message, raised_at)"
            " values ('error', %(subject)s, 'x', headgate.clock())",
            subject=subject,
        )

    assert subjects(site) == []


def test_the_end_of_a_run_goes_out_with_what_failed_and_why(site: Toy):
    site.add(1)
    site.begin()
    site.complete(site.claim()[0], "failed")
    site.later(minutes=1)
    site.finish()

    (notice,) = [x for x in site.sql(NOTICES) if x["subject"].startswith("plain")]
    assert notice["subject"] == "plain failed: run r1"
    assert notice["body"].splitlines() == [
        "DAG: plain",
        "Run: r1",
        "Status: failed, at 2024-03-05 12:01 UTC, after 60 s",
        "Failed task: a, at 2024-03-05 12:00 UTC: it went wrong",
        "What to do: headgate status r1 --pipeline plain shows it, headgate retry r1 --pipeline plain"
        " goes on with it",
    ]


def test_a_run_that_is_over_its_deadline_says_so(site: Toy):
    site.sql("update headgate.pipelines set timeout = '1 hour' where name = 'plain'")
    site.add(1)
    site.call("run_pipeline", p_pipeline="plain", p_run_id="r1")
    site.advance()
    site.later(hours=2)
    site.advance()

    (notice,) = [x for x in site.sql(NOTICES) if x["subject"].startswith("plain")]
    assert notice["subject"] == "plain failed: run r1"
    assert "Status: failed, over its deadline, at 2024-03-05 14:00 UTC" in notice["body"]
    assert "UTC: the run was not over after its timeout of 1 hour" in notice["body"]


def test_the_suggested_command_can_be_pasted_whatever_the_runs_name(site: Toy):
    word = "select headgate._shell_word(%(word)s)"
    names = ("r1", "manual__2024-03-05T00:00:00+00:00", "my run", "it's; rm -rf $HOME")
    assert [shlex.split(site.scalar(word, word=x)) for x in names] == [[x] for x in names]


def test_a_run_that_ends_well_is_not_sent_where_only_failures_are(site: Toy):
    site.add(1)
    site.begin()
    site.complete(site.claim()[0])
    site.finish()

    assert site.execution()["status"] == "succeeded"
    assert subjects(site) == []


def test_waiting_notices_start_a_run_by_themselves_but_a_failure_does_not_restart_it_at_once(
    site: Toy,
):
    assert not site.value("advance_executions")
    notify(site)
    (chunk,) = site.claim()
    assert (chunk["pipeline"], chunk["step"]) == ("notify", "send")
    site.complete(chunk, "failed")
    assert site.claim() == []
    runs = "select count(*) from headgate.v_recent_executions where pipeline = 'notify'"
    assert site.scalar(runs) == 1

    site.later(minutes=16)
    assert len(site.claim()) == 1
    assert site.scalar(runs) == 2


def test_news_while_one_was_refused_are_sent_at_once(site: Toy):
    notify(site)
    site.complete(site.claim()[0], "failed")
    site.advance()
    site.later(seconds=1)
    notify(site, "next")

    assert len(site.claim()) > 0


def test_where_a_dag_sends_a_run_is_ordered_once(site: Toy):
    site.sql(
        "insert into headgate.dags (pipeline_id, deployment, dag, is_paused, active_runs, heard_at)"
        " select p.pipeline_id, '', 'notify', false, 0, headgate.clock()"
        " from headgate.pipelines as p where p.name = 'notify'"
    )
    notify(site)
    site.advance()

    assert site.scalar("select count(*) from headgate.v_orders where pipeline = 'notify'") == 1
    assert site.claim() == []


def test_old_notices_go_with_the_history(site: Toy):
    notify(site)
    site.later(days=20)
    notify(site, "young")
    site.later(days=20)
    site.call("retain", p_keep="30 days")

    assert len(subjects(site)) == 1


def test_the_secrets_of_channels_are_seen_by_what_sends_and_no_other(site: Toy):
    notify(site)
    (chunk,) = site.claim()

    secrets = site.sql(
        "select secret_name from headgate.channels where secret_name <> '' order by 1"
    )
    assert chunk["call"]["environment"] == [x["secret_name"] for x in secrets]
    assert {"DEV_HOOK", "OPS_HOOK"} <= set(chunk["call"]["environment"])


SHOWN = "select status, error from headgate.v_notices order by asset_id"


def four_notices(site: Toy) -> None:
    """Make four notices: sent, refused, possibly received, and being sent."""
    for key in ("sent", "refused", "lost", "leased"):
        notify(site, key)
    chunks = sorted(site.claim(chunks=4), key=lambda x: x["asset_ids"])
    for chunk, outcome in zip(chunks, ("success", "failed", "retry"), strict=False):
        site.complete(chunk, outcome)


def test_sent_and_unsent_notices_are_listed(site: Toy):
    four_notices(site)

    shown = site.sql(SHOWN)
    assert [x["status"] for x in shown] == ["sent", "waiting", "unknown", "waiting"]
    assert [x["error"] for x in shown] == [
        None,
        "it went wrong",
        "internal: unknown whether it was sent: it went wrong",
        None,
    ]


def test_a_notice_that_may_have_been_sent_is_sent_again_only_on_request(site: Toy):
    notify(site)
    site.complete(site.claim()[0], "retry")
    site.advance()
    site.later(hours=1)
    assert site.claim() == []

    site.call("reset_asset", p_asset_id=site.scalar("select asset_id from headgate.v_notices"))
    assert len(site.claim()) == 1


def test_a_web_hook_that_knows_the_key_is_asked_again(site: Toy):
    notify(site, channel="dev")
    site.complete(site.claim()[0], "retry")
    site.later(minutes=1)

    assert len(site.claim()) == 1
    assert site.sql(SHOWN) == [{"status": "waiting", "error": None}]


def test_after_five_failures_a_notice_is_given_up_and_shown(site: Toy):
    notify(site)
    for _ in range(5):
        site.complete(site.claim()[0], "failed")
        site.advance()
        site.later(minutes=16)

    assert site.claim() == []
    assert site.sql(SHOWN) == [{"status": "failed", "error": "it went wrong"}]


def test_each_notice_is_due_once_though_plans_are_applied_again(site: Toy):
    notify(site)
    notify(site, channel="dev")
    site.sql("select headgate._open_needs()")

    assert [x["is_due"] for x in site.sql(NOTICES)] == [True, True]


def test_the_doctor_tells_of_channels_whose_notices_wait_or_fail(site: Toy):
    four_notices(site)
    notify(site, channel="dev")
    site.later(minutes=16)

    found = {
        x["subject"]: x["found"] for x in site.call("examine") if x["subject"].startswith("channel")
    }
    assert found == {
        "channel ops": "2 notices wait, 1 may not have got there; last: internal: unknown whether"
        " it was sent: it went wrong",
        "channel dev": "1 notices wait",
    }


def test_the_page_s_channels_and_routes_can_be_declared_and_are_used(toy: Toy):
    plan, _ = blocks(ROOT / "docs" / "notifications.md", "sql")
    toy.connection.execute(plan.text.encode())
    toy.call("raise_alert", p_severity="error", p_subject="disk", p_message="Look.")

    assert subjects(toy) == [("inbox", "[error] disk"), ("ops", "[error] disk")]

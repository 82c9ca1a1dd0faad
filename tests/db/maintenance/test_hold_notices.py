"""hold_notices: a restored database does not send what may have been sent since its backup."""

from __future__ import annotations

import pytest

from tests.db.toy import Toy

SHOWN = "select channel, status, error, asset_id from headgate.v_notices order by channel, asset_id"
HELD = "internal: unknown whether it was sent: it waited when the backup was taken"


@pytest.fixture
def site(toy: Toy) -> Toy:
    """Declare a channel whose receiver knows a notice's key, and one whose does not."""
    for call in (
        "begin_plan('site')",
        "put_channel('ops', 'slack', secret_name => 'OPS_HOOK')",
        "put_channel('dev', 'webhook', secret_name => 'DEV_HOOK')",
        "end_plan()",
    ):
        toy.connection.execute(f"select headgate.{call}".encode())
    return toy


def notify(toy: Toy, channel: str, key: str) -> None:
    toy.call("notify", p_channel=channel, p_subject="News", p_body="x", p_key=key)


@pytest.mark.parametrize("is_planned", [False, True])
def test_waiting_notices_are_not_sent_if_the_receiver_cannot_recognise_a_repetition(
    site: Toy, is_planned: bool
):
    notify(site, "ops", "a")
    notify(site, "dev", "a")
    if is_planned:
        site.call("run_pipeline", p_pipeline="notify", p_run_id="r")
        while site.value("advance_executions"):
            pass
        assert len(site.chunks("queued")) == 2

    assert site.value("hold_notices") == 1
    (dev, ops) = site.sql(SHOWN)
    assert dev["status"] == "waiting"
    assert (ops["status"], ops["error"]) == ("unknown", HELD)
    assert {x for chunk in site.claim(chunks=9) for x in chunk["asset_ids"]} <= {dev["asset_id"]}


def test_sent_notices_stay_sent_and_reset_ones_are_sent(site: Toy):
    notify(site, "ops", "sent")
    site.call("run_pipeline", p_pipeline="notify", p_run_id="r")
    assert site.drain() == 1
    notify(site, "ops", "waits")

    assert site.value("hold_notices") == 1
    assert [x["status"] for x in site.sql(SHOWN)] == ["sent", "unknown"]
    (waits,) = site.sql("select asset_id from headgate.v_notices where status = 'unknown'")
    site.call("reset_asset", p_asset_id=waits["asset_id"])
    assert [x["status"] for x in site.sql(SHOWN)] == ["sent", "waiting"]

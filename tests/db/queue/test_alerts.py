"""An open breaker, a refused secret and an internal fault are in v_alerts at once, and as long as they last."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from tests.db.conftest import Toys
from tests.db.toy import Toy

OPEN = "select subject, message from headgate.v_alerts where resolved_at is null order by subject"
CLOSE_EXECUTION = {"until": "execution", "reason": "the token was refused"}


@pytest.fixture
def shop(toy: Toy) -> Toy:
    """Sixty jobs of a provider whose breaker opens at ten failures."""
    toy.sql("delete from headgate.alerts")
    toy.tune(max_wait="1 hour")
    toy.add(60)
    toy.begin()
    return toy


def alerts(toy: Toy) -> dict[str, str]:
    """Return the open alerts."""
    return {x["subject"]: x["message"] for x in toy.sql(OPEN)}


def test_a_breaker_that_opens_is_reported_in_the_same_commit_with_its_last_error(shop: Toy):
    shop.complete(shop.claim()[0], "retry", fault="provider")

    found = alerts(shop)
    assert set(found) == {"operation look", "provider shop"}
    assert found["provider shop"].startswith("calls to shop fail (provider: it went wrong): ")


def test_failures_that_open_no_breaker_are_not_an_alert(shop: Toy):
    chunk = shop.claim()[0]
    shop.complete(chunk, "retry", chunk["asset_ids"][:9], fault="provider")

    assert alerts(shop) == {}


def test_a_breaker_s_alert_stays_until_a_probe_has_succeeded(shop: Toy):
    shop.complete(shop.claim()[0], "retry", fault="provider")
    raised = shop.sql("select * from headgate.v_alerts")
    shop.later(minutes=2)
    shop.call("check_health", p_pipeline="headgate_maintenance", p_run_id="m1")
    assert set(alerts(shop)) == {"operation look", "provider shop"}

    (probe,) = shop.claim()
    shop.complete(probe, "retry", probe["asset_ids"][:1], fault="provider")
    assert shop.sql("select * from headgate.v_alerts") == raised

    shop.later(minutes=10)
    (probe,) = shop.claim("w2")
    shop.complete(probe, "success", probe["asset_ids"][:1], runner="w2")
    assert alerts(shop) == {}
    assert {x["resolved_at"] for x in shop.sql("select * from headgate.v_alerts")} == {shop.now}


def test_unblocking_by_hand_resolves_the_alert(shop: Toy):
    shop.complete(shop.claim()[0], "retry", fault="provider")
    shop.provider(blocked_until=None)

    assert alerts(shop) == {}


def test_a_block_by_hand_is_an_alert_when_it_lasts(shop: Toy):
    shop.provider(blocked_until=str(shop.now + timedelta(minutes=59)), reason="a breather")
    assert alerts(shop) == {}

    shop.provider(
        operation="look", blocked_until=str(shop.now + timedelta(hours=2)), reason="it is broken"
    )
    assert "it is broken" in alerts(shop)["operation look"]


def test_a_refused_secret_is_reported_until_an_answer_comes(shop: Toy):
    (chunk,) = shop.claim()
    shop.complete(chunk, "deferred", fault="internal", block=CLOSE_EXECUTION)
    assert "SHOP_TOKEN" in alerts(shop)["secret of shop"]

    shop.finish()
    shop.begin(run="r2")
    (chunk,) = shop.claim()
    shop.complete(chunk, "success", chunk["asset_ids"][:1])
    assert "secret of shop" not in alerts(shop)


def test_internal_deferrals_are_reported_with_their_reason_until_the_step_succeeds(shop: Toy):
    (chunk,) = shop.claim()
    shop.complete(chunk, "deferred", fault="internal", block=CLOSE_EXECUTION)
    assert "run r1 deferred jobs by an internal fault: " in alerts(shop)["step a of plain"]
    shop.finish()

    shop.begin(run="r2")
    shop.drain()
    assert "step a of plain" not in alerts(shop)


def test_an_internal_fault_is_reported_when_no_call_was_made(shop: Toy):
    (chunk,) = shop.claim()
    shop.complete(chunk, "deferred", fault="internal", requests=0)

    assert set(alerts(shop)) >= {"step a of plain"}


def test_an_internal_fault_s_alert_stays_while_the_fault_continues(shop: Toy):
    (chunk,) = shop.claim()
    shop.complete(chunk, "deferred", fault="internal", block=CLOSE_EXECUTION)
    raised = shop.sql("select * from headgate.v_alerts where subject like 'step %%'")
    shop.finish()
    shop.begin(run="r2")
    chunk, *others = shop.claim(chunks=20)
    shop.complete(chunk, "success")
    for other in others:
        shop.complete(other, "deferred", fault="internal")
    shop.drain()

    assert shop.step(run="r2")["queued"] == 0
    assert shop.sql("select * from headgate.v_alerts where subject like 'step %%'") == raised


def test_a_chunk_whose_runners_die_is_our_own_fault(toy: Toy):
    toy.sql("delete from headgate.alerts")
    toy.add(1)
    toy.begin()
    for _ in range(3):
        toy.expire(*toy.claim())
    assert toy.claim() == []

    assert "its lease expired three times" in alerts(toy)["step a of plain"]


def test_deferrals_by_provider_or_quota_are_not_our_fault(shop: Toy):
    first, second = shop.claim(chunks=2)
    shop.complete(first, "deferred", fault="quota")
    shop.complete(second, "deferred", second["asset_ids"][:3], fault="provider")

    assert not any(x.startswith("step ") for x in alerts(shop))


def test_an_alert_of_a_step_that_is_gone_is_resolved(shop: Toy):
    shop.call("raise_alert", p_severity="error", p_subject="step x of plain", p_message="it fails")
    shop.call("raise_alert", p_severity="error", p_subject="step a of plain", p_message="it fails")
    shop.call("check_health", p_pipeline="headgate_maintenance", p_run_id="m1")

    assert set(alerts(shop)) == {"step a of plain"}


def test_good_answers_write_no_alert_and_read_none(shop: Toy):
    shop.sql(
        """
        create function pg_temp.refuse() returns trigger language plpgsql
        as $$ begin raise exception 'an alert was written'; end $$
        """
    )
    shop.sql(
        "create trigger refuse before insert or update on headgate.alerts"
        " for each statement execute function pg_temp.refuse()"
    )

    assert shop.drain() == 60


def test_runners_whose_failures_open_a_breaker_together_raise_it_once(toys: Toys):
    toys.one.tune(max_wait="1 hour")
    toys.one.add(60)
    toys.one.begin()
    chunks = toys.one.claim(chunks=6)
    doctor, *runners = (toys.another() for _ in range(len(chunks) + 1))

    with ThreadPoolExecutor(len(chunks) + 1) as pool:
        work = [
            pool.submit(x.complete, y, "retry", fault="provider")
            for x, y in zip(runners, chunks, strict=True)
        ]
        work.append(pool.submit(doctor.call, "check_health", p_pipeline="plain", p_run_id="r1"))
        for done in work:
            done.result()

    subjects = [x["subject"] for x in toys.one.sql("select subject from headgate.v_alerts")]
    assert sorted(subjects) == ["operation look", "provider shop"]

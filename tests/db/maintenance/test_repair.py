"""The doctor's repairs: repaired runs continue to their end, and each repair is recorded."""

from __future__ import annotations

import pytest

from tests.db.maintenance.test_examine import wrong
from tests.db.toy import Toy

BREAKAGES = {
    "a missing queue": "select pgmq.drop_queue('shop_normal')",
    "messages that are gone": "delete from pgmq.q_shop_normal",
    "messages of no chunk": "select pgmq.send('shop_low', '{\"chunk_id\": 0}')",
    "a message of nonsense": "select pgmq.send('shop_low', '[\"x\"]')",
    "chunks that were never sent": (
        "with c as (update headgate.chunks set state = 'planned', msg_id = null where step = 'a'"
        " and state = 'queued' returning chunk_id) select count(*) from c"
    ),
    "chunks that are gone": "delete from headgate.chunks where step = 'a'",
    "a reservation too many": "update headgate.quota_windows set reserved = reserved + 3",
    "a reservation too few": "update headgate.quota_windows set reserved = reserved - 3",
}


@pytest.fixture
def waiting(toy: Toy) -> Toy:
    """A run without a claimed chunk."""
    toy.sql("select headgate._open_months(3)")
    toy.tune(chunk_size=2)
    toy.add(6)
    toy.begin("a")
    return toy


@pytest.mark.parametrize("breakage", BREAKAGES.values(), ids=BREAKAGES)
def test_damage_is_found_and_repaired_and_the_run_continues(waiting: Toy, breakage: str):
    waiting.connection.execute(breakage.encode())
    assert wrong(waiting)
    assert waiting.call("repair")

    assert wrong(waiting) == {}
    assert waiting.call("repair") == []
    waiting.drain()
    assert waiting.step()["status"] in ("succeeded", "failed")
    assert sum(waiting.endings().values()) == 6


def test_nothing_is_done_where_nothing_is_wrong(waiting: Toy):
    with waiting.unchanged():
        assert waiting.call("repair") == []


def test_lost_jobs_are_due_again(waiting: Toy):
    waiting.sql("delete from headgate.chunks where step = 'a'")
    waiting.call("repair")

    assert waiting.endings() == {"deferred": 6}
    assert waiting.step()["status"] == "failed"
    waiting.finish()
    waiting.begin("a", run="r2")
    assert waiting.drain() == 6


def test_chunks_of_a_step_that_is_over_end_and_give_their_units_back(waiting: Toy):
    waiting.sql(
        "update headgate.process_steps set status = 'cancelled', finished_at = started_at"
        " where step = 'a'"
    )
    assert wrong(waiting)["step a of r1"]["found"] == "it has ended, but 3 of its chunks wait"
    waiting.call("repair")

    assert waiting.endings() == {"cancelled": 6}
    assert waiting.units() == (0, 0)


def test_an_expired_lease_is_offered_again_at_once(waiting: Toy):
    (chunk,) = waiting.claim()
    waiting.sql(
        "update headgate.chunks set leased_until = clock_timestamp() - interval '2 minutes'"
        " where state = 'leased'"
    )
    assert waiting.call("repair") == [
        {"subject": "chunks", "done": "1 chunks sent, ended, or offered again"}
    ]
    assert chunk["chunk_id"] in {x["chunk_id"] for x in waiting.claim("w2", 5)}


def test_spent_units_are_never_lowered(waiting: Toy):
    waiting.drain()
    waiting.sql("update headgate.asset_processing_details set attempts = 1")
    waiting.sql("update headgate.quota_windows set spent = 50")
    waiting.call("repair")
    assert waiting.units() == (0, 50)

    waiting.later(hours=2)
    waiting.sql("update headgate.asset_processing_details set ended_at = %(now)s", now=waiting.now)
    waiting.sql("update headgate.quota_windows set spent = 1")
    waiting.call("repair")
    assert waiting.units() == (0, 6)


def test_months_to_come_get_their_partitions(toy: Toy):
    toy.later(days=200)
    before = {x["subject"] for x in toy.call("examine")}
    assert "history" in before
    assert {"subject": "history", "done": "4 monthly partitions created"} in toy.call("repair")
    assert "history" not in {x["subject"] for x in toy.call("examine")}


def test_a_repair_is_recorded(waiting: Toy):
    waiting.sql("delete from pgmq.q_shop_normal")
    waiting.call("repair")

    (action,) = waiting.sql("select action, changed from headgate.v_operator_actions")
    assert action["action"] == "repair"
    assert action["changed"]["queues"] == 3

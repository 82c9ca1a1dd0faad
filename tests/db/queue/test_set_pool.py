"""Pools: slots that operations share; a lease takes them, and any end of a lease frees them for the next."""

from __future__ import annotations

import psycopg
import pytest

from tests.db.maintenance.test_examine import wrong
from tests.db.toy import Toy
from tests.plan import Row

IDLE: Row = {"path": None, "ingest_function": None, "units": 0, "chunk_size": 1}


@pytest.fixture
def pooled(toy: Toy) -> Toy:
    """Let the operation look take slots of a pool of two; its chunks are of one asset."""
    toy.sql("insert into headgate.pools (name, slots) values ('tills', 2), ('doors', 1)")
    toy.tune(pool="tills", **IDLE)
    return toy


def pool(toy: Toy, name: str = "tills") -> tuple[int, int, int]:
    (row,) = toy.sql("select * from headgate.v_pools where pool = %(name)s", name=name)
    return row["slots"], row["used"], row["waiting"]


def test_chunks_that_do_not_fit_wait_outside_the_queue(pooled: Toy):
    pooled.add(5)
    pooled.begin()
    assert (len(pooled.chunks("queued")), len(pooled.chunks("parked"))) == (2, 3)
    claimed = pooled.claim(chunks=5)

    assert len(claimed) == 2
    assert pool(pooled) == (2, 2, 3)
    assert pooled.claim("w2", 5) == []
    assert {x["park_reason"] for x in pooled.chunks("parked")} == {"waits for pool tills"}


def test_a_completion_wakes_the_next_in_line(pooled: Toy):
    assets = pooled.add(4)
    pooled.begin()
    first, _ = pooled.claim(chunks=5)
    pooled.complete(first)
    (third,) = pooled.claim("w2", 5)

    assert third["asset_ids"] == [assets[2]]
    assert pool(pooled) == (2, 2, 1)


def test_all_are_worked_off_and_no_slot_is_lost(pooled: Toy):
    pooled.add(9)
    pooled.begin()

    assert pooled.drain() == 9
    assert pooled.endings() == {"success": 9}
    assert pool(pooled) == (2, 0, 0)


@pytest.mark.parametrize("how", ["release", "lose", "retry", "expire"])
def test_any_end_of_a_lease_frees_its_slot(pooled: Toy, how: str):
    pooled.add(3)
    pooled.begin()
    first, second = pooled.claim(chunks=2)
    token: Row = {"p_runner": "w1", "p_chunk_id": first["chunk_id"], "p_lease_no": 1}
    if how == "release":
        pooled.call("release_jobs", p_runner="w1", p_chunk_ids=[first["chunk_id"]], p_lease_nos=[1])
    elif how == "lose":
        pooled.call("lose_lease", **token, p_reason="it crashed")
    elif how == "retry":
        pooled.complete(first, "retry", fault="provider")
    else:
        pooled.expire(first)
        pooled.row("heartbeat", p_runner="w2", p_host="h", p_pid=1, p_version="1")
    assert pool(pooled)[1] == 1
    (woken,) = pooled.claim("w2", 5)

    assert woken["asset_ids"] != second["asset_ids"]
    assert pool(pooled)[:2] == (2, 2)
    pooled.complete(second)
    pooled.complete(woken, runner="w2")
    pooled.later(minutes=1)
    assert pooled.drain("w2") == 1


def test_a_lease_that_has_ended_is_not_revived(pooled: Toy):
    pooled.add(3)
    pooled.begin()
    first, _ = pooled.claim(chunks=2)
    pooled.expire(first)

    assert (
        pooled.call(
            "extend_leases", p_runner="w1", p_chunk_ids=[first["chunk_id"]], p_lease_nos=[1]
        )
        == []
    )


def test_an_expired_lease_that_no_longer_fits_waits_first_in_line(pooled: Toy):
    pooled.add(4)
    pooled.begin()
    first, second = pooled.claim(chunks=2)
    pooled.expire(first)
    pooled.call("set_pool", p_pool="tills", p_slots=1)
    assert pooled.claim("w2", 5) == []

    assert pool(pooled) == (1, 1, 3)
    with pytest.raises(psycopg.Error, match="no longer held"), pooled.connection.transaction():
        pooled.complete(first)
    pooled.complete(second)
    (again,) = pooled.claim("w2", 5)
    assert again["asset_ids"] == first["asset_ids"]


def test_a_smaller_pool_drains(pooled: Toy):
    pooled.add(4)
    pooled.begin()
    first, second = pooled.claim(chunks=2)
    row = pooled.row("set_pool", p_pool="tills", p_slots=1)
    assert (row["slots"], row["used"], row["waiting"]) == (1, 2, 2)
    pooled.complete(first)
    assert pooled.claim("w2", 5) == []
    pooled.complete(second)

    assert len(pooled.claim("w2", 5)) == 1
    assert pool(pooled) == (1, 1, 1)


def test_a_larger_pool_takes_more_at_once(pooled: Toy):
    pooled.add(4)
    pooled.begin()
    pooled.claim(chunks=2)
    pooled.call("set_pool", p_pool="tills", p_slots=4)

    assert len(pooled.claim("w2", 5)) == 2
    assert pool(pooled) == (4, 4, 0)


def test_operations_and_pipelines_share_it(pooled: Toy):
    pooled.tune("peek", pool="tills", **IDLE)
    pooled.add(3)
    pooled.add(3, universe="others")
    pooled.begin()
    pooled.begin("all", pipeline="aside")
    leases = [x for n in range(4) for x in pooled.claim(f"w{n}", 5)]

    assert len(leases) == 2
    assert pool(pooled) == (2, 2, 4)
    for lease in leases:
        (chunk,) = [x for x in pooled.chunks("leased") if x["chunk_id"] == lease["chunk_id"]]
        pooled.complete(lease, runner=chunk["runner"])
    assert pooled.drain() == 4


def test_small_ones_do_not_starve_a_large_one(pooled: Toy):
    pooled.tune("peek", pool="tills", pool_slots=2, **IDLE)
    large = pooled.add(1, universe="others")
    pooled.start(pipeline="aside")
    pooled.check(pipeline="aside")
    pooled.add(2)
    pooled.add(3, "B")
    pooled.begin()
    first, second = pooled.claim(chunks=2)
    pooled.enqueue("all", pipeline="aside")
    assert pooled.claim("w2") == []
    pooled.enqueue("b")
    pooled.complete(first)
    assert pooled.claim("w2", 5) == [], "a slot is free, and the large one waits for both"
    pooled.complete(second)

    assert [x["asset_ids"] for x in pooled.claim("w2")] == [large]


def test_any_end_of_an_execution_frees_its_slots(pooled: Toy):
    pooled.tune("peek", pool="tills", **IDLE)
    pooled.add(2)
    others = pooled.add(3, universe="others")
    pooled.begin()
    assert len(pooled.claim(chunks=5)) == 2
    pooled.begin("all", pipeline="aside")
    assert pooled.claim("w2", 5) == []
    pooled.finish()

    claimed = pooled.claim("w2", 5)
    assert {x for y in claimed for x in y["asset_ids"]} == set(others[:2])
    assert pool(pooled) == (2, 2, 1)


def test_a_cancelled_large_one_lets_those_behind_it_pass(pooled: Toy):
    pooled.tune("peek", pool="tills", pool_slots=2, **IDLE)
    pooled.add(2, universe="others")
    pooled.begin("all", pipeline="aside")
    (large,) = pooled.claim(chunks=1)
    small = pooled.add(2)
    pooled.begin()
    assert pooled.claim("w2", 5) == []
    pooled.call("release_jobs", p_runner="w1", p_chunk_ids=[large["chunk_id"]], p_lease_nos=[1])
    pooled.call("cancel_execution", p_pipeline="aside", p_run_id="r1")

    claimed = pooled.claim("w2", 5)
    assert {x for y in claimed for x in y["asset_ids"]} == set(small)


def test_the_doctor_finds_pools_that_are_too_small(pooled: Toy):
    pooled.add(4)
    pooled.begin()
    pooled.claim(chunks=2)
    assert "pool tills" not in wrong(pooled)
    pooled.later(minutes=61)
    assert wrong(pooled)["pool tills"]["found"].startswith("2 jobs wait for it, the first since 20")

    pooled.tune(pool_slots=3)
    found = [x for x in pooled.call("examine") if x["verdict"] == "fail"]
    assert "it has 2 slots, and operation look takes 3: it waits for ever" in [
        x["found"] for x in found
    ]


def test_waiting_jobs_are_listed_with_their_reason(pooled: Toy):
    (_, _, third) = pooled.add(3)
    pooled.begin()
    pooled.claim(chunks=2)

    (row,) = pooled.sql("select * from headgate.v_waiting")
    assert (row["reason"], row["jobs"]) == ("waits for pool tills", 1)
    assert (row["next_try_at"], row["gives_up_at"]) == (None, None)
    (row,) = pooled.call("explain_plan", p_pipeline="plain", p_assets=[third])
    assert row["reason"].endswith("waits for pool tills)")
    rows = pooled.sql("select reason from headgate.v_decisions where asset_id = %(a)s", a=third)
    assert [x["reason"] for x in rows] == ["waits for pool tills"]
    assert pooled.step()["parked"] == 1 and pooled.step()["next_wake_at"] is None


def test_units_stay_reserved_while_it_waits(pooled: Toy):
    pooled.provider(quota=100)
    pooled.tune(path="/look/{asset.code}", units=1)
    pooled.add(4)
    pooled.begin()
    pooled.claim(chunks=4)

    assert pooled.units() == (2, 2)
    assert len(pooled.chunks("parked")) == 2


def test_paused_chunks_leave_the_line_and_queue_up_again(pooled: Toy):
    pooled.add(3)
    pooled.begin()
    leases = pooled.claim(chunks=2)
    pooled.call("pause_pipeline", p_pipeline="plain")
    assert pool(pooled) == (2, 2, 0)
    pooled.complete(leases[0])
    pooled.call("resume_pipeline", p_pipeline="plain")
    pooled.complete(leases[1])

    assert pooled.drain() == 1


def test_the_line_is_not_held_up_by_what_cannot_be_called(pooled: Toy):
    pooled.provider(quota=100)
    pooled.tune(path="/look/{asset.code}", units=1)
    pooled.tune("peek", pool="tills", **IDLE)
    pooled.add(3)
    others = pooled.add(2, universe="others")
    pooled.begin()
    pooled.begin("all", pipeline="aside")
    leases = pooled.claim(chunks=2)
    pooled.provider(blocked_until=str(pooled.now.replace(hour=13)))
    for lease in leases:
        pooled.complete(lease)

    claimed = pooled.claim("w2", 5)
    assert {x for y in claimed for x in y["asset_ids"]} <= set(others)
    assert claimed


def test_no_operation_may_wait_for_ever(pooled: Toy):
    pooled.tune(pool_slots=2)
    for slots, hint in ((1, "its operation look takes 2"), (0, "pause_pipeline")):
        with pytest.raises(psycopg.Error, match="cannot have") as caught:
            with pooled.connection.transaction():
                pooled.call("set_pool", p_pool="tills", p_slots=slots)
        assert hint in (caught.value.diag.message_hint or "")
    with pytest.raises(psycopg.Error, match="unknown pool: 'till'") as caught:
        with pooled.connection.transaction():
            pooled.call("set_pool", p_pool="till", p_slots=1)
    assert "tills" in (caught.value.diag.message_hint or "")


def test_without_a_pool_nothing_is_asked(toy: Toy):
    toy.tune(**IDLE)
    toy.add(3)
    toy.begin()
    assert len(toy.claim(chunks=5)) == 3
    assert {(x["pool"], x["pool_slots"], x["waits_for_pool"]) for x in toy.chunks()} == {
        (None, None, None)
    }

"""put_pool: slots that operations share, and operations that take them."""

from __future__ import annotations

from tests.db.declare.conftest import OPERATION, PROVIDER, Shelf
from tests.db.toy import Toy

POOL = "put_pool('ladders', 2, 'what one climbs')"
POOLED = f"{OPERATION[:-1]}, pool => 'ladders', pool_slots => 2)"


def slots(toy: Toy) -> int | None:
    rows = toy.sql("select slots from headgate.v_pools where pool = 'ladders'")
    return rows[0]["slots"] if rows else None


def test_an_operation_takes_the_slots_of_a_pool(shelf: Shelf, toy: Toy):
    assert shelf.put(PROVIDER, POOL, POOLED) == ["created", "created", "created", "unchanged"]
    assert shelf.put(PROVIDER, POOL, POOLED) == ["unchanged"] * 4

    assert toy.sql("select pool, pool_slots from headgate.operations where name = 'dust'") == [
        {"pool": "ladders", "pool_slots": 2}
    ]


def test_a_pool_that_is_gone_is_gone(shelf: Shelf, toy: Toy):
    shelf.put(PROVIDER, POOL, POOLED)
    results = shelf.put(PROVIDER, OPERATION)

    assert results[1:] == ["changed: pool, pool_slots", "retired: pool ladders"]
    assert slots(toy) is None


def test_a_pool_of_a_retired_operation_goes_with_it(shelf: Shelf, toy: Toy):
    shelf.put(PROVIDER, POOL, POOLED)
    toy.add(universe="tomes")
    toy.sql("update headgate.asset_processing_state set succeeded_at = headgate.clock()")

    assert shelf.put(PROVIDER)[-1] == "retired: operation dust; pool ladders"
    assert slots(toy) is None


def test_an_operators_value_stays_until_the_files_value_changes(shelf: Shelf, toy: Toy):
    shelf.put(PROVIDER, POOL, POOLED)
    toy.call("set_pool", p_pool="ladders", p_slots=5)
    shelf.put(PROVIDER, POOL, POOLED)
    assert slots(toy) == 5

    assert shelf.put(PROVIDER, POOL.replace("2", "3"), POOLED)[1] == "changed: slots"
    assert slots(toy) == 3


def test_more_slots_than_the_pool_has_are_refused(shelf: Shelf):
    said = shelf.mistakes(PROVIDER, POOL, POOLED.replace("pool_slots => 2", "pool_slots => 3"))

    assert "operation dust takes 3 slots of pool ladders, which has 2" in said


def test_a_pool_has_slots_and_is_known(shelf: Shelf):
    said = shelf.mistakes(
        PROVIDER,
        POOL,
        "put_pool('stools', 0)",
        POOLED.replace("'ladders'", "'ladder'"),
        f"{OPERATION[:-1].replace('dust', 'wipe')}, pool_slots => 2)",
    )

    assert "pool stools breaks the rule: slots are positive" in said
    assert "operation dust: unknown pool 'ladder'" in said
    assert "did you mean ladders?" in said
    assert "operation wipe breaks the rule: pool slots are of a pool" in said

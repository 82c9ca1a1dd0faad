"""An operation's own breaker: it blocks one broken endpoint, and the provider's others go on (_block_until.sql)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.db.conftest import Toys
from tests.db.toy import Toy
from tests.plan import Row


@pytest.fixture
def library(toy: Toy) -> Toy:
    """Thirty new books: `open` and `history` are calls to the same provider; ten faults open a breaker."""
    toy.provider(quota=10_000)
    toy.tune("open", max_wait="1 hour")
    toy.tune("history", max_wait="1 hour")
    toy.add(30, "W", "books")
    toy.begin("west", pipeline="library")
    return toy


def claim_of(toy: Toy, operation: str, runner: str = "w1") -> Row:
    """Claim until a chunk of this operation comes; complete the others."""
    for _ in range(20):
        (chunk,) = toy.claim(runner)
        if chunk["operation"] == operation:
            return chunk
        toy.complete(chunk, runner=runner)
    raise AssertionError(f"no chunk of {operation}")


def break_down(toy: Toy, operation: str = "open") -> None:
    """Report a chunk's ten calls of an operation as failed."""
    toy.complete(claim_of(toy, operation), "retry", fault="provider")


def health(toy: Toy, operation: str = "open") -> Row:
    (row,) = toy.sql(
        "select h.*, p.state as provider_state, p.blocked_operations"
        " from headgate.v_operation_health as h join headgate.v_provider_health as p"
        " using (provider) where h.operation = %(operation)s",
        operation=operation,
    )
    return row


def seconds(toy: Toy, operation: str = "open") -> float:
    """Return for how many seconds the operation is blocked."""
    until = health(toy, operation)["blocked_until"]
    return (until - toy.now).total_seconds() if until else 0.0


def drained(toy: Toy) -> set[str]:
    """Complete everything that can be claimed; return the operations that were called."""
    called = set()
    while claimed := toy.claim("w1", 5):
        for chunk in claimed:
            called.add(chunk["operation"])
            toy.complete(chunk)
    return called


def test_ten_faults_in_a_row_close_the_operation_and_its_provider_s_others_continue(library: Toy):
    break_down(library)

    assert (health(library)["state"], seconds(library)) == ("blocked", 60)
    assert health(library)["reason"] == "provider: the breaker of open is open"
    assert drained(library) == {"history"}
    assert health(library)["provider_state"] == "flowing"
    assert health(library)["blocked_operations"] == ["open"]
    assert library.endings() == {"success": 30}, "all of history, nothing of open"


def test_the_next_chunk_of_another_operation_probes_the_provider(library: Toy):
    break_down(library)
    assert health(library)["provider_state"] == "probing"

    (probe,) = library.claim("w1", 5)
    assert (probe["operation"], probe["call"]["probe"]) == ("history", True)
    assert library.claim("w2", 5) == []
    library.complete(probe)
    assert health(library)["provider_state"] == "flowing"


def test_when_the_other_operation_fails_too_the_provider_is_blocked(library: Toy):
    break_down(library)
    (probe,) = library.claim()
    library.complete(probe, "retry", probe["asset_ids"][:1], fault="provider")

    breaker = library.breaker()
    assert (breaker["opened"], (breaker["blocked_until"] - library.now).total_seconds()) == (1, 60)
    assert health(library)["provider_state"] == "blocked"
    assert library.claim("w2") == []
    library.complete(probe, "unsent", probe["asset_ids"][1:])


def test_without_another_operation_to_ask_the_provider_is_blocked(toy: Toy):
    toy.tune(max_wait="1 hour")
    toy.add(30)
    toy.begin()
    toy.complete(toy.claim()[0], "retry", fault="provider")

    assert (health(toy, "look")["state"], health(toy, "look")["provider_state"]) == (
        "blocked",
        "blocked",
    )


def test_faults_of_several_operations_are_the_provider_s(library: Toy):
    other = claim_of(library, "history")
    chunk = claim_of(library, "open")
    library.complete(other, "retry", other["asset_ids"][:5], fault="provider")
    library.complete(chunk, "retry", chunk["asset_ids"][:5], fault="provider")

    assert health(library)["provider_state"] == "blocked"
    assert (health(library)["state"], health(library, "history")["state"]) == ("flowing", "flowing")
    library.complete(other, "unsent", other["asset_ids"][5:])
    library.complete(chunk, "unsent", chunk["asset_ids"][5:])


def test_faults_between_the_answers_of_others_add_up(library: Toy):
    """Each answer resets the provider's own series of failures, but not the operation's."""
    library.provider(breaker_share=1)
    one, *_ = (claim_of(library, "open") for _ in range(1))
    library.complete(one, "retry", one["asset_ids"][:5], fault="provider")
    other = claim_of(library, "history")
    library.complete(other)
    library.complete(one, "retry", one["asset_ids"][5:], fault="provider")

    assert (health(library)["state"], library.breaker()["opened"]) == ("blocked", 0)


def test_calls_already_in_flight_do_not_count_against_the_provider(library: Toy):
    first, second = claim_of(library, "open", "w1"), claim_of(library, "open", "w2")
    library.complete(first, "retry", fault="provider")
    library.complete(second, "retry", runner="w2", fault="provider")

    assert (seconds(library), health(library)["provider_state"]) == (60, "probing")
    assert drained(library) == {"history"}


def test_after_the_cool_down_one_probe_goes_first_and_an_answer_closes_it(library: Toy):
    break_down(library)
    drained(library)
    library.later(seconds=61)

    (probe,) = library.claim("w1", 5)
    assert (probe["operation"], probe["call"]["probe"]) == ("open", True)
    assert library.claim("w2", 5) == []
    library.complete(probe)
    assert health(library) | {"state": "flowing", "blocked_until": None, "reason": None} == health(
        library
    )
    library.later(seconds=6)
    assert drained(library) == {"open"}
    assert library.endings() == {"success": 60}


def test_a_probe_that_fails_closes_it_for_twice_as_long_and_not_the_provider(library: Toy):
    break_down(library)
    drained(library)
    for expected in (120, 240):
        library.at(health(library)["blocked_until"] + timedelta(seconds=1))
        (probe,) = library.claim()
        library.complete(probe, "retry", probe["asset_ids"][:1], fault="provider")
        library.complete(probe, "unsent", probe["asset_ids"][1:])
        assert seconds(library) == expected
        assert health(library)["provider_state"] == "flowing"


@pytest.mark.parametrize("how", ["lease", "release"])
def test_a_probe_that_nobody_holds_any_more_makes_room_for_another(library: Toy, how: str):
    break_down(library)
    drained(library)
    library.later(seconds=61)
    (probe,) = library.claim()
    if how == "lease":
        library.expire(probe)
    else:
        tokens = {"p_chunk_ids": [probe["chunk_id"]], "p_lease_nos": [probe["lease_no"]]}
        library.call("release_jobs", p_runner="w1", **tokens)
    library.later(seconds=6)

    assert library.claim("w2")[0]["call"]["probe"] is True


def test_two_runners_at_once_get_one_probe(toys: Toys):
    one, two = toys.another(autocommit=False), toys.another()
    library = toys.one
    library.provider(quota=10_000)
    library.add(30, "W", "books")
    library.begin("west", pipeline="library")
    break_down(library)
    drained(library)
    for toy in (library, one, two):
        toy.at(library.now + timedelta(seconds=61))
    one.connection.commit()

    first = one.claim("w1")  # its transaction is open
    second = two.ask("w2")
    one.connection.commit()
    assert [x["call"]["probe"] for x in first] == [True]
    assert second[0]["chunk_id"] is None
    assert two.claim("w2") == []


def test_waiting_chunks_block_no_others_and_reserve_nothing(library: Toy):
    break_down(library)
    drained(library)

    assert library.sql("select 1 from pgmq.q_shop_normal") == []
    assert {x["state"] for x in library.chunks()} == {"parked"}
    assert library.units()[0] == 0


def test_a_lease_that_ran_out_stays_one_until_the_operation_may_be_called(library: Toy):
    dead = claim_of(library, "open")
    break_down(library)
    library.expire(dead)
    assert drained(library) == {"history"}

    states = {x["chunk_id"]: x["state"] for x in library.chunks()}
    assert states.pop(dead["chunk_id"]) == "leased"
    assert set(states.values()) == {"parked"}
    library.later(seconds=61)
    library.expire(dead)
    assert drained(library) == {"open"}


def test_beyond_max_wait_what_waits_ends_deferred(library: Toy):
    library.tune("open", max_wait="30 seconds")
    break_down(library)
    drained(library)

    ended = library.sql("select distinct status, reason from headgate.asset_processing_details")
    assert {"status": "deferred", "reason": "provider: the breaker of open is open"} in ended
    assert "failed" not in library.endings()
    assert library.chunks() == []


def test_an_operation_is_blocked_and_unblocked_by_hand(library: Toy):
    library.provider(operation="open", blocked_until="2024-03-05 12:20+00", reason="moving")
    assert (health(library)["state"], health(library)["reason"]) == ("blocked", "provider: moving")
    assert drained(library) == {"history"}

    library.provider(operation="open", blocked_until=None)
    assert drained(library) == {"open"}
    actions = library.sql(
        "select arguments from headgate.operator_actions where action = 'set_provider'"
        " and arguments -> 'changes' ? 'operation' order by 1"
    )
    assert len(actions) == 2


def test_opening_the_provider_opens_its_operations(library: Toy):
    break_down(library)
    library.provider(blocked_until=None)

    assert health(library)["blocked_operations"] == []
    assert drained(library) == {"open", "history"}


@pytest.mark.parametrize(
    ("code", "changes"),
    [
        ("HG004", {"operation": "peek", "blocked_until": None}),
        ("HG004", {"operation": "sum", "blocked_until": None}),
        ("HG008", {"operation": "open"}),
        ("HG008", {"operation": None, "blocked_until": None}),
        ("HG008", {"operation": "open", "blocked_until": None, "quota": 5}),
    ],
)
def test_anything_else_of_an_operation_is_refused(toy: Toy, code: str, changes: Row):
    with toy.refused(code), toy.unchanged():
        toy.provider(**changes)


def test_explain_says_that_a_pair_waits_for_its_breaker(library: Toy):
    break_down(library)
    library.finish(pipeline="library")
    asset = library.add(1, "W", "books", first=99)

    def explained() -> dict[str, Row]:
        rows = library.call("explain_plan", p_pipeline="library", p_assets=asset)
        return {x["operation"]: x for x in rows if x["decision"] != "skip"}

    waits = explained()
    assert {x["decision"] for x in waits.values()} == {"run"}, "within max_wait: it will wait"
    assert "breaker_open_until" in waits["open"]["evidence"]
    assert "breaker_open_until" not in waits["history"]["evidence"]

    library.tune("open", max_wait="30 seconds")
    library.tune("history", max_wait="30 seconds")
    broken = explained()
    assert {x["decision"] for x in broken.values()} == {"defer"}, "a bundle goes together"
    assert "never done; its breaker is open until 2024-03-05 12:01:00" in broken["open"]["reason"]
    library.start("r2", "library")
    assert "breaker" in {x["reason"] for x in library.check("r2", "library")}

"""lose_lease ends a lease as if it had expired, and keeps the reason."""

from __future__ import annotations

from tests.db.toy import Toy
from tests.plan import Row


def lose(toy: Toy, chunk: Row, *, runner: str = "w1") -> None:
    """Report that the work on a chunk died."""
    token = {"p_chunk_id": chunk["chunk_id"], "p_lease_no": chunk["lease_no"]}
    toy.call("lose_lease", p_runner=runner, **token, p_reason="it hung")


def test_a_lost_chunk_is_tried_again_then_split_and_who_dies_alone_is_deferred_with_the_reason(
    toy: Toy,
):
    toy.add(2)
    toy.begin()

    for _ in range(2):
        (chunk,) = toy.claim()
        assert len(chunk["asset_ids"]) == 2
        lose(toy, chunk)
    toy.ask()
    singles = [*toy.claim(), *toy.claim()]
    assert [len(x["asset_ids"]) for x in singles] == [1, 1]
    lose(toy, singles[0])
    toy.complete(singles[1])
    toy.claim()

    reasons = {x["asset_id"]: x["reason"] for x in toy.details()}
    assert reasons[singles[0]["asset_ids"][0]] == "internal: three times: it hung"
    assert reasons[singles[1]["asset_ids"][0]] is None


def test_only_its_holder_may_give_a_lease_up(toy: Toy):
    toy.add(2)
    toy.begin()
    (chunk,) = toy.claim()

    with toy.unchanged(), toy.refused("HG012"):
        lose(toy, chunk, runner="w2")

"""The results of an execution, by group."""

from __future__ import annotations

from tests.db.toy import Toy


def groups(toy: Toy) -> list[dict[str, object]]:
    return toy.call("execution_groups", p_pipeline="library", p_run_id="r1")


def test_only_groups_with_success_are_reported_with_their_jobs(toy: Toy):
    toy.add(2, "W", "books")
    toy.add(1, "E", "books")
    toy.begin("west", pipeline="library", groups=["W"])
    assert groups(toy) == []
    toy.drain()
    toy.finish(pipeline="library")

    (row,) = groups(toy)
    execution_id = toy.scalar("select execution_id from headgate.process_executions")
    succeeded = toy.scalar(
        "select count(*) from headgate.asset_processing_details where status = 'success'"
    )
    assert list(row.values())[:3] == [execution_id, "books", "W"]
    assert row["succeeded"] == succeeded > 0


def test_an_unknown_run_is_refused(toy: Toy):
    with toy.refused("HG002", "nope"):
        toy.call("execution_groups", p_pipeline="library", p_run_id="nope")

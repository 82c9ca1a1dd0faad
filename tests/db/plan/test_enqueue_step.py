"""Starting a step; a later attempt reruns what did not succeed."""

from __future__ import annotations

from itertools import pairwise

import pytest

from tests.db.toy import Toy

LOG_OF_HOLDS = """
    create temporary table held (nth bigint generated always as identity, asset_id bigint);
    create function pg_temp.log() returns trigger language plpgsql security definer
    set search_path = pg_catalog, pg_temp as $func$
    begin
        insert into held (asset_id) values (new.asset_id);
        return new;
    end;
    $func$;
    create trigger log before update of chunk_id on headgate.asset_processing_state
    for each row execute function pg_temp.log();
"""
"""Writes down in which order pairs are taken."""


def test_a_step_sends_what_was_planned(toy: Toy):
    toy.add(25)
    toy.start()
    toy.check()

    assert toy.enqueue() == {"step": "a", "status": "running", "planned": 25, "sent": 3}
    assert [x["state"] for x in toy.chunks()] == ["queued"] * 3
    assert toy.units() == (25, 0)


def test_a_step_for_which_nothing_was_planned_is_planned_first(toy: Toy):
    toy.add(3)
    toy.add(2, "B")
    toy.start()

    assert toy.enqueue() == {"step": "a", "status": "running", "planned": 3, "sent": 1}
    assert toy.units() == (3, 0)
    (row,) = [x for x in toy.check() if x["group_key"] == "B"]
    assert row["planned"] == 2
    assert toy.units() == (5, 0)


def test_a_step_with_nothing_to_do_ends_as_succeeded(toy: Toy):
    toy.add(3)
    toy.start()
    toy.check()

    assert toy.enqueue("b") == {"step": "b", "status": "succeeded", "planned": 0, "sent": 0}


@pytest.mark.parametrize("kinds", [1, 2], ids=["assets in a row", "assets that take turns"])
def test_pairs_are_taken_in_order_of_their_assets_and_held_by_the_chunk_that_names_them(
    toy: Toy, kinds: int
):
    toy.add(40)
    toy.sql(
        "update headgate.assets as a set weight = 1 + a.asset_id %% %(kinds)s where a.universe = 'things'",
        kinds=kinds,
    )
    toy.sql(LOG_OF_HOLDS)

    toy.begin()

    taken = [x["asset_id"] for x in toy.sql("select h.asset_id from held as h order by h.nth")]
    assert len(taken) == 40
    assert taken == sorted(taken)
    chunks = toy.chunks()
    assert len(chunks) == 4
    assert {toy.state(n)["chunk_id"] == x["chunk_id"] for x in chunks for n in x["asset_ids"]} == {
        True
    }
    ranges = [(min(x["asset_ids"]), max(x["asset_ids"])) for x in chunks]
    are_apart = all(one[1] < two[0] for one, two in pairwise(sorted(ranges)))
    assert are_apart == (kinds == 1)


def test_a_second_call_changes_nothing(toy: Toy):
    toy.add(3)
    toy.begin()

    with toy.unchanged():
        assert toy.enqueue() == {"step": "a", "status": "running", "planned": 3, "sent": 0}
    toy.drain()
    with toy.unchanged():
        assert toy.enqueue() == {"step": "a", "status": "succeeded", "planned": 3, "sent": 0}


def test_work_that_becomes_due_after_the_plan_waits_for_the_next_run(toy: Toy):
    toy.add(3)
    toy.start()
    toy.check()
    toy.add(3, first=3)

    assert toy.enqueue()["planned"] == 3
    assert toy.enqueue()["planned"] == 3


def test_a_higher_attempt_runs_only_what_failed_was_deferred_or_cancelled(toy: Toy):
    toy.add(40)
    toy.begin()
    chunks = toy.claim(chunks=4)
    for chunk, outcome in zip(chunks, ("success", "failed", "deferred", "skipped"), strict=True):
        toy.complete(chunk, outcome, fault="item" if outcome != "deferred" else "quota")
    before = toy.step()
    assert (before["status"], before["succeeded"], before["failed"], before["deferred"]) == (
        "failed", 10, 10, 10,
    )  # fmt: skip

    sent = toy.enqueue(p_attempt=2)
    assert sent == {"step": "a", "status": "running", "planned": 40, "sent": 2}
    again = {x for chunk in toy.chunks() for x in chunk["asset_ids"]}
    assert again == {*chunks[1]["asset_ids"], *chunks[2]["asset_ids"]}
    step = toy.step()
    assert (step["succeeded"], step["failed"], step["deferred"], step["skipped"]) == (10, 0, 0, 10)
    assert toy.drain() == 20
    assert toy.step()["status"] == "succeeded"
    assert sorted(x["round"] for x in toy.details(chunks[1]["asset_ids"][0])) == [1, 2]


def test_the_same_attempt_again_opens_no_new_round(toy: Toy):
    toy.add(3)
    toy.begin()
    toy.drain(outcome="failed")
    toy.enqueue(p_attempt=2)
    toy.drain(outcome="failed")

    with toy.unchanged():
        assert toy.enqueue(p_attempt=2)["sent"] == 0
    assert toy.enqueue(p_attempt=3)["sent"] == 1


def test_an_attempt_that_came_while_the_step_ran_opens_no_round_later(toy: Toy):
    """A task is cleared while it runs, and its trigger is restarted after the end."""
    toy.add(1)
    toy.begin()
    assert toy.enqueue(p_attempt=2)["sent"] == 0
    toy.drain(outcome="failed")

    with toy.unchanged():
        assert toy.enqueue(p_attempt=2)["status"] == "failed"
    assert toy.enqueue(p_attempt=3)["sent"] == 1


def test_a_higher_attempt_with_nothing_left_to_do_changes_nothing(toy: Toy):
    toy.add(3)
    toy.begin()
    toy.drain()

    with toy.unchanged():
        assert toy.enqueue(p_attempt=2)["status"] == "succeeded"


def test_a_higher_attempt_of_a_step_that_runs_continues_with_it(toy: Toy):
    toy.add(13)
    toy.begin()
    first, _ = sorted(toy.claim(chunks=2), key=lambda x: x["chunk_id"])
    toy.complete(first, "failed")

    assert toy.enqueue(p_attempt=2) == {"step": "a", "status": "running", "planned": 13, "sent": 0}
    assert toy.step()["failed"] == 10


def test_a_round_keeps_within_today_s_budget(toy: Toy):
    toy.provider(quota=12)
    toy.add(10)
    toy.begin()
    toy.drain(outcome="failed")

    assert toy.enqueue(p_attempt=2) == {"step": "a", "status": "running", "planned": 10, "sent": 1}
    assert toy.step()["failed"] == 8
    toy.drain()
    assert (toy.step()["succeeded"], toy.step()["failed"]) == (2, 8)


def test_a_round_that_can_afford_nothing_leaves_the_step_as_it_was(toy: Toy):
    toy.provider(quota=10)
    toy.add(10)
    toy.begin()
    toy.drain(outcome="failed")
    before = toy.step()

    assert toy.enqueue(p_attempt=2)["sent"] == 0
    assert toy.step() == before


def test_a_round_of_an_execution_that_has_ended_reopens_it(toy: Toy):
    toy.add(3)
    toy.begin()
    toy.drain(outcome="failed")
    assert toy.finish()["status"] == "failed"

    toy.enqueue(p_attempt=2)
    assert toy.execution()["status"] == "running"
    toy.drain()
    assert toy.finish()["status"] == "succeeded"


def test_a_job_that_another_run_has_taken_is_not_run_twice(toy: Toy):
    toy.add(3)
    toy.begin()
    toy.drain(outcome="failed")
    toy.finish()
    toy.begin(run="r2")

    assert toy.enqueue(p_attempt=2)["sent"] == 0


def test_a_job_that_another_run_has_done_meanwhile_is_not_charged_again(toy: Toy):
    toy.add(3)
    toy.begin()
    toy.drain(outcome="failed")
    toy.finish()
    toy.later(hours=1)
    toy.begin(run="r2")
    toy.drain()
    toy.finish("r2")

    assert toy.enqueue(p_attempt=2)["sent"] == 0


def test_a_plan_made_before_midnight_is_sent_with_the_new_day_s_units(toy: Toy):
    toy.add(3)
    toy.start()
    toy.check()
    old = toy.window()
    toy.later(hours=12)
    toy.enqueue()

    assert toy.window()["opened_at"] > old["opened_at"]
    assert toy.units() == (3, 0)
    assert toy.scalar("select sum(reserved) from headgate.quota_windows") == 3


def test_a_plan_the_new_day_cannot_carry_is_deferred_in_part(toy: Toy):
    toy.add(25)
    toy.start()
    toy.check()
    toy.later(hours=12)
    toy.provider(quota=12)

    assert toy.enqueue()["sent"] == 1
    step = toy.step()
    assert (step["queued"], step["deferred"]) == (10, 15)
    assert {x["reason"] for x in toy.details()} == {"quota: no units left in this window"}
    toy.drain()
    assert toy.step()["status"] == "succeeded"


def test_a_function_step_is_called_not_sent(toy: Toy):
    toy.start()

    with toy.refused("HG008", "step quota calls a function", "headgate.check_quota"):
        toy.enqueue("quota")


def test_unknown_paused_and_ended_runs_are_refused(toy: Toy):
    toy.add(1)
    toy.start()
    with toy.refused("HG003", "unknown step: 'c'", "a, b, finish"):
        toy.enqueue("c")

    toy.call("pause_pipeline", p_pipeline="plain")
    with toy.unchanged(), toy.refused("HG013"):
        toy.enqueue()
    toy.call("resume_pipeline", p_pipeline="plain")
    toy.call("cancel_execution", p_pipeline="plain", p_run_id="r1")
    with toy.unchanged():
        assert toy.enqueue()["status"] == "cancelled"


def test_a_round_of_a_cancelled_execution_is_refused(toy: Toy):
    toy.add(1)
    toy.begin()
    toy.call("cancel_execution", p_pipeline="plain", p_run_id="r1")

    with toy.unchanged(), toy.refused("HG014", "r1 has ended: cancelled"):
        toy.enqueue(p_attempt=2)


def test_no_round_opens_while_the_pipeline_is_paused(toy: Toy):
    toy.add(1)
    toy.begin()
    toy.drain(outcome="failed")
    toy.finish()
    toy.call("pause_pipeline", p_pipeline="plain")

    with toy.unchanged(), toy.refused("HG013", "paused"):
        toy.enqueue(p_attempt=2)


@pytest.mark.parametrize(
    ("failed", "status"), [(0, "succeeded"), (1, "succeeded"), (2, "failed"), (20, "failed")]
)
def test_a_step_fails_when_a_larger_share_of_its_jobs_has(toy: Toy, failed: int, status: str):
    toy.tune(chunk_size=20)
    toy.add(20)
    toy.begin()
    (chunk,) = toy.claim()
    assets = chunk["asset_ids"]
    toy.complete(chunk, "failed", assets[:failed])
    toy.complete(chunk, "success", assets[failed:]) if failed < 20 else None

    assert toy.step()["status"] == status


@pytest.mark.parametrize(
    ("fault", "status"), [("quota", "succeeded"), ("provider", "failed"), ("internal", "failed")]
)
def test_a_step_all_of_whose_jobs_are_deferred_has_failed_unless_for_quota(
    toy: Toy, fault: str, status: str
):
    toy.add(3)
    toy.begin()
    toy.drain(outcome="deferred", fault=fault)

    assert toy.step()["status"] == status


def test_one_success_outweighs_deferrals_by_fault(toy: Toy):
    toy.add(10)
    toy.begin()
    (chunk,) = toy.claim()
    toy.complete(chunk, "success", chunk["asset_ids"][:1])
    toy.complete(chunk, "deferred", chunk["asset_ids"][1:], fault="provider")

    assert toy.step()["status"] == "succeeded"


def test_a_step_whose_jobs_are_all_skipped_has_succeeded(toy: Toy):
    toy.add(3)
    toy.begin()
    toy.drain(outcome="skipped")

    assert toy.step()["status"] == "succeeded"

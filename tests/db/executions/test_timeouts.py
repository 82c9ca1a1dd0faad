"""Steps and runs that exceed their time limits."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

import pytest

from tests.db.conftest import Toys
from tests.db.executions.graph import graph, retry, start, status, step, steps, work
from tests.db.together import at_once, close
from tests.db.toy import Toy

ALERTS = "select subject, message from headgate.v_alerts where resolved_at is null"


def begun(toy: Toy, **more: object) -> None:
    """Start a step of two chunks, one of them leased, with a limit of an hour; another step follows it."""
    graph(
        toy,
        x={"operations": ["look"], "timeout": "1 hour", **more},
        y={"function": "well", "depends_on": ["x"]},
    )
    toy.tune(chunk_size=2)
    toy.add(4)
    start(toy)


def limited(toy: Toy, timeout: str = "1 hour") -> None:
    """Give the pipeline a time limit."""
    toy.sql(
        "update headgate.pipelines set timeout = %(timeout)s::interval where name = 'graph'",
        timeout=timeout,
    )


def test_after_the_timeout_waiting_jobs_are_deferred_and_leases_ended(toy: Toy):
    begun(toy)
    (chunk,) = toy.claim()
    assert step(toy, "x")["deadline_at"] == toy.now + timedelta(hours=1)
    assert toy.units() == (2, 2)
    toy.later(hours=1)
    toy.advance()

    assert (steps(toy), status(toy)) == ({"x": "failed", "y": "skipped"}, "failed")
    assert step(toy, "x")["output"] == {
        "error": "the step was not over after its timeout of 1 hour"
    }
    assert toy.endings() == {"deferred": 4}
    assert {x["reason"] for x in toy.details()} == {"timeout: the step was not over after 1 hour"}
    assert (toy.units(), toy.chunks()) == ((0, 2), [])
    with toy.refused("HG012"):
        toy.complete(chunk)


def test_before_that_nothing_ends(toy: Toy):
    begun(toy)
    toy.claim()
    toy.later(minutes=59)
    with toy.unchanged():
        toy.advance()


def test_jobs_that_succeeded_in_time_count_but_the_step_fails(toy: Toy):
    begun(toy)
    toy.tune(max_attempts=3)
    (chunk,) = toy.claim()
    toy.complete(chunk)
    toy.later(hours=1)
    toy.advance()

    row = step(toy, "x")
    assert (row["status"], row["succeeded"], row["deferred"]) == ("failed", 2, 2)
    assert retry(toy) == {"planned": 2, "sent": 1, "reopened": 2}
    assert step(toy, "x")["deadline_at"] == toy.now + timedelta(hours=1)
    work(toy)
    assert (step(toy, "x")["succeeded"], status(toy)) == (4, "succeeded")


def test_a_runner_is_told_when_it_is_late(toy: Toy):
    begun(toy)
    toy.claim(chunks=5)

    assert toy.ask()[0]["wake_at"] <= toy.now + timedelta(hours=1)
    toy.sql("update headgate.chunks set leased_until = clock_timestamp() + interval '1 day'")
    assert toy.ask()[0]["wake_at"] == toy.now + timedelta(hours=1)
    toy.sql("update headgate.chunks set leased_until = clock_timestamp() + interval '1 minute'")


def test_a_late_step_is_run_again_while_it_has_retries_and_each_round_has_its_own_time(toy: Toy):
    begun(toy, retries=1)
    toy.claim()
    toy.later(hours=1)
    toy.advance()
    assert step(toy, "x")["retry_at"] == toy.now + timedelta(minutes=5)
    toy.later(minutes=5)
    toy.advance()
    assert step(toy, "x")["deadline_at"] == toy.now + timedelta(hours=1)

    assert work(toy) == ["x", "x"]
    assert status(toy) == "succeeded"


def test_a_function_that_took_longer_fails_and_what_it_wrote_is_undone(toy: Toy):
    toy.sql("create table toy.written (note text)")
    toy.sql(
        "create or replace function toy.slow(p_pipeline text, p_run_id text) returns void language sql"
        " as 'insert into toy.written values (p_run_id)'"
    )
    graph(
        toy,
        x={"function": "slow", "timeout": "1 microsecond"},
        y={"function": "well", "timeout": "1 hour"},
    )
    start(toy)
    work(toy)

    assert steps(toy) == {"x": "failed", "y": "succeeded"}
    assert (
        step(toy, "x")["output"]["error"]
        == "step x took longer than its timeout of 0.000001 seconds"
    )
    assert toy.sql("select * from toy.written") == []


def test_a_run_that_is_not_over_in_time_fails_with_an_alert(toy: Toy):
    begun(toy, timeout=None)
    toy.call("cancel_execution", p_pipeline="graph", p_run_id="r1")
    limited(toy)
    start(toy, "r2")
    (chunk,) = toy.claim()
    toy.later(hours=1)
    toy.advance()

    assert steps(toy, "r2") == {"x": "failed", "y": "skipped"}
    assert step(toy, "y", "r2")["skip_reason"] == "finalized"
    assert status(toy, "r2") == "failed"
    assert toy.units()[0] == 0
    with toy.refused("HG012"):
        toy.complete(chunk)
    (alert,) = toy.sql(ALERTS)
    assert alert["subject"] == "deadline of graph"
    assert alert["message"].startswith("run r2 was not over at 2024-03-05 13:00 UTC and was ended;")


def test_the_alert_is_over_with_the_next_run_that_is_in_time(toy: Toy):
    begun(toy)
    limited(toy)
    toy.call("cancel_execution", p_pipeline="graph", p_run_id="r1")
    start(toy, "r2")
    toy.later(hours=1)
    toy.advance()
    assert len(toy.sql(ALERTS)) == 1
    start(toy, "r3")
    work(toy)

    assert (status(toy, "r3"), toy.sql(ALERTS)) == ("succeeded", [])


def test_a_run_that_waits_for_a_retry_ends_at_its_deadline_too(toy: Toy):
    graph(toy, x={"function": "badly", "retries": 5, "retry_delay": "2 hours"})
    limited(toy)
    start(toy)
    toy.advance()
    assert toy.sql(
        "select gives_up_at - now as d from headgate.v_waiting, headgate.clock() as now"
    )[0]["d"] == (timedelta(hours=1))
    toy.later(hours=1)
    toy.advance()

    assert (steps(toy), status(toy)) == ({"x": "failed"}, "failed")
    toy.later(hours=1)
    with toy.unchanged():
        toy.advance()


def test_a_run_that_continues_has_the_whole_time_again(toy: Toy):
    graph(toy, x={"operations": ["look"]})
    limited(toy)
    toy.add(2)
    start(toy)
    toy.advance()
    toy.later(hours=1)
    toy.advance()
    assert status(toy) == "failed"

    retry(toy)
    toy.later(minutes=59)
    work(toy)
    assert status(toy) == "succeeded"


def test_airflow_ends_its_own_runs(toy: Toy):
    graph(toy, x={"operations": ["look"], "timeout": "1 hour"})
    limited(toy)
    toy.add(2)
    start(toy, driver="airflow")
    toy.enqueue("x", pipeline="graph")
    toy.later(hours=2)
    with toy.unchanged():
        toy.advance()
    toy.finish(pipeline="graph")


@pytest.mark.parametrize("whole", [True, False])
def test_two_runners_at_once_end_it_once(toys: Toys, whole: bool):
    one, two = toys.one, toys.another()
    graph(one, x={"operations": ["look"], "timeout": None if whole else "1 hour"})
    if whole:
        limited(one)
    one.add(4)
    start(one)
    one.claim()
    one.later(hours=1)
    two.at(one.now)

    answers = at_once(*(partial(x.value, "advance_executions") for x in (one, two)))
    assert all(isinstance(x, bool) for x in answers), answers
    one.advance()
    assert (steps(one)["x"], status(one)) == ("failed", "failed")
    assert one.endings() == {"deferred": 4}


def test_a_completion_at_the_same_moment_counts_once(toys: Toys):
    one, two = toys.one, toys.another()
    begun(one)
    (chunk,) = one.claim()
    one.later(hours=1)
    two.at(one.now)

    at_once(one.advance, partial(two.complete, chunk))
    one.advance()
    row = step(one, "x")
    assert (row["status"], row["succeeded"] + row["deferred"]) == ("failed", 4)
    one.assert_ledger_balances()


def test_a_runner_killed_while_it_ends_a_step_has_changed_nothing(toys: Toys):
    one, killed = toys.one, toys.another(autocommit=False)
    begun(one)
    one.claim()
    one.later(hours=1)
    killed.at(one.now)
    with one.unchanged():
        assert killed.value("advance_executions")
        close(killed, one)

    one.advance()
    assert status(one) == "failed"

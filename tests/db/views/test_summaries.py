"""The views that the pages read whole: their rows are sums of what other views list."""

from __future__ import annotations

from datetime import timedelta

from tests.db.toy import NOON, Toy


def test_failing_and_waiting_work_and_what_is_blocked_are_summed_up(toy: Toy):
    ids = toy.add(6)
    toy.begin()
    (chunk,) = toy.claim()
    toy.complete(chunk, "failed", ids[:1])
    toy.later(minutes=1)
    toy.complete(chunk, "failed", ids[1:3])
    toy.complete(chunk, "retry", ids[3:], fault="provider")
    until = NOON + timedelta(minutes=5)
    toy.provider(blocked_until=str(until))

    (failing,) = toy.sql("select * from headgate.v_failing_operations")
    assert (failing["operation"], failing["assets"]) == ("look", 3)
    assert failing["last_failed_at"] == toy.now
    assert failing["last_asset"] in ("A1", "A2")
    assert failing["last_error"] == "it went wrong"
    (waiting,) = toy.sql("select * from headgate.v_waiting_work")
    listed = toy.sql("select * from headgate.v_waiting")
    assert waiting["jobs"] == waiting["all_jobs"] == sum(x["jobs"] for x in listed) == 3
    assert (waiting["next_try_at"], waiting["step"]) == (until, "a")
    (blocked,) = toy.sql("select * from headgate.v_blocked_calls")
    assert (blocked["provider"], blocked["operation"]) == ("shop", None)
    assert blocked["blocked_until"] == until


def test_an_open_window_knows_what_was_put_off_in_it(toy: Toy):
    toy.provider(quota=5, buffer=0)
    toy.add(8)
    toy.begin()

    (row,) = toy.sql("select * from headgate.v_open_quota where provider = 'shop'")
    put_off = toy.scalar("select sum(units) from headgate.v_deferrals where reason = 'quota'")
    assert row["wanted"] == put_off == 3
    toy.later(days=2)
    assert toy.sql("select * from headgate.v_open_quota where provider = 'shop'") == []


def test_the_last_twenty_runs_of_a_pipeline_are_listed_oldest_first(toy: Toy):
    for n in range(22):
        toy.later(minutes=1)
        toy.start(f"r{n}")
        toy.finish(f"r{n}")

    rows = toy.sql("select * from headgate.v_latest_executions")
    assert [x["run_id"] for x in rows] == [f"r{n}" for n in range(2, 22)]
    assert {x["pipeline"] for x in rows} == {"plain"}

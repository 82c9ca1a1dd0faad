"""The doctor's checks: each possible fault is found, named, and reported with advice."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.db.executions.graph import graph, start, work
from tests.db.toy import Toy
from tests.plan import Plan, Row

ALWAYS = {"rights of the database", "history"}
"""Findings in every test's clone: it has no rights of its own, and its clock is in a past month."""


def wrong(plan: Plan) -> dict[str, Row]:
    """Return the findings by subject, except dead rows, which rolled-back tests leave."""
    return {
        x["subject"]: x
        for x in plan.call("examine")
        if x["subject"] not in ALWAYS and not x["subject"].startswith("database dead_rows")
    }


@pytest.fixture
def busy(toy: Toy) -> Toy:
    """A run in progress: chunks planned, queued, leased and parked; jobs that ended."""
    toy.tune(chunk_size=2)
    toy.add(12)
    toy.add(2, "B")
    toy.begin("a")
    done, again, _ = toy.claim(chunks=3)
    toy.complete(done)
    toy.complete(again, "retry", fault="provider")
    return toy


def test_nothing_is_wrong_with_a_run_in_its_middle(busy: Toy):
    assert {x["state"] for x in busy.chunks()} == {"planned", "queued", "leased", "parked"}
    assert wrong(busy) == {}


def test_nothing_is_wrong_with_a_run_that_has_ended(busy: Toy):
    busy.later(minutes=1)
    busy.drain()
    busy.finish()

    assert wrong(busy) == {}


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (
            "drop function headgate._charged_units(headgate.chunks)",
            "function headgate._charged_units(headgate.chunks) is gone",
        ),
        ("create function headgate.door() returns void language sql as ''", "door() is new"),
        ("alter function headgate.clock() volatile", "headgate.clock() was changed"),
        ("alter function headgate.clock() reset search_path", "headgate.clock() was changed"),
        ("grant execute on function headgate.clock() to public", "headgate.clock() was changed"),
        ("alter table headgate.chunks add column note text", "table headgate.chunks was changed"),
        ("drop index headgate.chunks_wake_idx", "table headgate.chunks was changed"),
        (
            "alter table headgate.quota_windows drop constraint never_above_quota",
            "quota_windows was changed",
        ),
        (
            "grant select on headgate.settings to headgate_reader",
            "table headgate.settings was changed",
        ),
        ("alter table headgate.chunks disable trigger all", None),
        ("drop view headgate.v_trading_sessions", "view headgate.v_trading_sessions is gone"),
    ],
)
def test_changes_by_hand_are_named(toy: Toy, change: str, named: str | None):
    toy.connection.execute(change.encode())

    found = wrong(toy)
    assert ("schema" in found) == (named is not None)
    if named is not None:
        assert named in found["schema"]["found"]
        assert found["schema"]["verdict"] == "fail"
        assert found["schema"]["is_fixable"]


@pytest.mark.parametrize(
    ("change", "role", "named"),
    [
        (
            "alter role headgate_reader createdb",
            "reader",
            "has more rights than it needs: createdb",
        ),
        ("alter role headgate_owner login", "owner", "may log in"),
        ("alter role headgate_runner nologin", "runner", "may not log in"),
        (
            "alter role headgate_reader reset statement_timeout",
            "reader",
            "has no statement_timeout",
        ),
        (
            "alter role headgate_reader set statement_timeout = 0",
            "reader",
            "has statement_timeout 0 instead of 60s",
        ),
        (
            "alter role headgate_runner set default_transaction_read_only = on",
            "runner",
            "has default_transaction_read_only set to on",
        ),
        (
            "alter role headgate_planner in database :db set search_path = mine",
            "planner",
            "has search_path set to mine in database ",
        ),
        (
            "alter role headgate_reader connection limit -1",
            "reader",
            "has connection_limit -1 instead of 25",
        ),
        ("alter role headgate_nobody login", "nobody", "may log in"),
        ("grant headgate_reader to headgate_nobody", "nobody", "is a member of headgate_reader"),
        ("grant headgate_owner to headgate_planner", "planner", "is a member of headgate_owner"),
        ("alter role headgate_reader rename to headgate_gone", "reader", "is missing"),
    ],
)
def test_a_role_that_is_not_as_it_should_be_is_named(toy: Toy, change: str, role: str, named: str):
    toy.connection.execute(change.replace(":db", toy.connection.info.dbname).encode())

    found = wrong(toy)[f"role headgate_{role}"]
    assert named in found["found"]
    assert found["verdict"] == "fail"


def test_a_missing_queue_and_orphan_and_lost_messages_are_distinguished(busy: Toy):
    busy.sql("select pgmq.drop_queue('side_low')")
    busy.sql("select pgmq.send('side_high', '{\"chunk_id\": 0}')")
    busy.sql("delete from pgmq.q_shop_normal")

    found = wrong(busy)
    assert found["queue side_low"]["found"] == "it is missing"
    assert found["queue side_high"]["found"] == "1 messages belong to no chunk"
    assert "3 chunks wait for messages that are gone" == found["queue shop_normal"]["found"]
    busy.call("repair")
    busy.complete(busy.chunks("leased")[0])


def test_a_stuck_step_and_its_lost_jobs_are_named(busy: Toy):
    busy.sql("delete from headgate.chunks where step = 'a'")

    found = wrong(busy)
    assert (
        found["step a of r1"]["found"] == "it is running with nothing in flight: 10 jobs are lost"
    )
    assert found["state"]["found"].startswith(
        "10 asset needs are held by chunks that no longer exist"
    )
    assert found["quota of shop"]["verdict"] == "fail"
    busy.call("repair")
    busy.sql(
        "update headgate.quota_windows set spent = 2"
    )  # nobody can know the result of what was in flight


def test_chunks_that_were_never_sent_are_reported(busy: Toy):
    busy.sql(
        "update headgate.chunks set state = 'planned', msg_id = null"
        " where chunk_id = (select max(chunk_id) from headgate.chunks where state = 'queued')"
    )
    found = wrong(busy)
    assert found["step a of r1"]["found"] == "1 of its chunks were never sent"
    busy.call("repair")


def test_an_expired_lease_that_nobody_takes_is_reported_after_a_minute(busy: Toy):
    (leased,) = busy.chunks("leased")
    busy.expire(leased)
    assert wrong(busy) == {}

    busy.sql(
        "update headgate.chunks set leased_until = leased_until - interval '1 minute' where state = 'leased'"
    )
    assert (
        wrong(busy)["queue shop_normal"]["found"]
        == "1 leases have expired and no runner takes them over"
    )


@pytest.mark.parametrize(
    "change", ["reserved = reserved + 1", "spent = spent - 3", "spent = spent + 1"]
)
def test_a_window_that_disagrees_with_chunks_and_details_is_reported(busy: Toy, change: str):
    busy.sql("update headgate.asset_processing_details set attempts = 1")
    busy.connection.execute(f"update headgate.quota_windows set {change}".encode())

    assert wrong(busy)["quota of shop"]["verdict"] == "fail"
    busy.connection.execute(f"update headgate.quota_windows set {undone(change)}".encode())


def undone(change: str) -> str:
    return change.translate(str.maketrans("+-", "-+"))


@pytest.mark.parametrize(("days", "verdict"), [(91, None), (89, "warn"), (-1, "fail")])
def test_a_calendar_that_ends_within_ninety_days_is_reported(
    toy: Toy, days: int, verdict: str | None
):
    ends_at = toy.now + timedelta(days=days)
    toy.sql(
        "insert into headgate.trading_sessions (calendar, session, opens_at, closes_at)"
        " values ('XNYS', %(ends_at)s::date, %(ends_at)s - interval '6 hours', %(ends_at)s)",
        ends_at=ends_at,
    )
    toy.add(1, calendar="XNYS")

    found = wrong(toy).get("calendar XNYS")
    assert (found and found["verdict"]) == verdict
    assert verdict is None or "headgate.handlers.calendars XNYS" in str(found)


def test_a_group_that_no_step_covers_is_reported(toy: Toy):
    toy.add(3, "Z")
    (found,) = wrong(toy).values()

    assert found["subject"] == "group Z of pipeline plain"
    assert found["found"] == "no step covers its 3 assets of universe things"
    toy.call("cover_groups", p_pipeline="plain", p_step="a", p_group_keys=["Z"])
    assert wrong(toy) == {}


def test_a_blocked_provider_and_an_execution_nobody_ends_are_reported(toy: Toy):
    toy.provider(blocked_until="2099-01-01", reason="their maintenance")
    toy.start()
    toy.later(days=2)

    found = wrong(toy)
    assert "their maintenance" in found["provider shop"]["found"]
    assert "finalize_execution" in found["execution r1 of plain"]["advice"]


def test_a_run_whose_scheduler_is_not_heard_of_any_more_is_reported(toy: Toy):
    toy.start(p_dag="nightly")
    assert wrong(toy) == {}

    toy.later(minutes=6)
    found = wrong(toy)["execution r1 of plain"]
    assert found["found"] == "no word from its scheduler since 2024-03-05 12:00 UTC"
    assert "headgate.cancel_execution" in found["advice"]


def test_warnings_of_the_databases_health_are_reported(plan: Plan):
    plan.sql(
        "insert into headgate.asset_processing_details"
        " (execution_id, asset_id, operation_id, round, step, status, ended_at)"
        " values (1, 1, 1, 1, 'a', 'success', '1999-01-01')"
    )
    plan.sql("select pg_stat_force_next_flush()")

    assert wrong(plan)["database history_outside_its_months"]["advice"]


def test_work_that_no_runner_has_done_in_time_is_reported(toy: Toy):
    graph(toy, x={"function": "badly", "retries": 1, "retry_delay": "1 hour"})
    toy.sql("update headgate.pipelines set timeout = '2 hours' where name = 'graph'")
    start(toy)
    work(toy)
    toy.sql(
        "insert into headgate.queued_runs (pipeline_id, run_id, logical_date, queued_at) select pipeline_id,"
        " 'after-day', %(now)s, %(now)s from headgate.pipelines where name in ('graph', 'plain')",
        now=toy.now,
    )
    toy.later(minutes=4)
    assert waits(toy) == {}
    toy.later(hours=3)

    said = ", and no runner has done it"
    assert waits(toy) == {
        "execution r1 of graph": f"it was to end by its deadline at 2024-03-05 14:00 UTC{said}",
        "step x of r1 of graph": f"it was to be run again at 2024-03-05 13:00 UTC{said}",
        "queued run after-day of plain": f"it was to start at 2024-03-05 12:00 UTC{said}",
    }


def waits(toy: Toy) -> dict[str, str]:
    """Return the overdue work that a runner should have done."""
    return {
        x["subject"]: x["found"]
        for x in toy.call("examine")
        if x["advice"] == "start a runner: headgate worker"
    }


def test_rows_that_were_written_by_hand_and_never_checked_are_named(toy: Toy):
    toy.sql(
        "insert into headgate.assets (universe, code, group_key)"
        " select 'things', 'hand' || n, 'A' from generate_series(1, 3) as n"
    )

    found = wrong(toy)
    assert {x["found"] for x in found.values()} == {
        "3 assets of universe things have no state, so they are never planned"
    }
    toy.call("check_plans")
    assert wrong(toy) == {}

"""When a need is due next: the rules of _due.sql, checked through completions."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from tests.db.toy import Toy


def moment(text: str) -> datetime:
    """Read a time of the test's week, in UTC."""
    return datetime.fromisoformat(f"2024-03-{text}+00:00")


@pytest.fixture
def library(toy: Toy) -> Toy:
    """A calendar of three sessions that close at 21:00, the last on the 6th."""
    toy.sql(
        "insert into headgate.trading_sessions (calendar, session, opens_at, closes_at)"
        " select 'XTOY', d, d + time '14:30', d + time '21:00'"
        " from unnest(array['2024-03-04', '2024-03-05', '2024-03-06']::date[]) as d"
    )
    toy.sql("set local timezone = 'UTC'")
    return toy


def book(toy: Toy, watermark: str | None) -> int:
    """Return a book whose history has just been loaded up to the watermark."""
    (book,) = toy.add(1, "W", "books", calendar="XTOY")
    toy.begin("west", pipeline="library")
    toy.drain(says={"watermark": watermark})
    toy.finish(pipeline="library")
    return book


def test_once_is_done_with_its_success(toy: Toy):
    one = book(toy, None)

    assert toy.state(one, "open")["next_due_at"] is None


def test_every_is_due_an_interval_after_its_success(toy: Toy):
    (asset,) = toy.add(1)
    toy.begin()
    toy.later(minutes=5)
    toy.drain()

    assert toy.state(asset)["next_due_at"] == toy.now + timedelta(days=1)


def test_a_function_is_asked_with_the_new_watermark(toy: Toy):
    (inner,) = toy.add(1, "N", "inners")
    toy.start("r1", "within")
    toy.enqueue("all", "r1", "within")
    toy.complete(toy.claim()[0], says={"watermark": "2024-03-04 00:00+00"})

    # a chunk without calls is completed without payloads
    assert toy.state(inner, "weigh")["next_due_at"] == moment("11 00:00")


def test_a_follower_opens_with_the_watermark_it_takes_over(library: Toy):
    one = book(library, "2024-03-04")

    state = library.state(one, "update")
    assert state["watermark"] == moment("04 00:00")
    assert state["next_due_at"] == moment("05 21:15")


def test_a_follower_stays_shut_while_its_leader_fails(library: Toy):
    (one,) = library.add(1, "W", "books")
    library.begin("west", pipeline="library")
    library.drain(outcome="failed")

    assert library.state(one, "update")["next_due_at"] is None


def test_a_follower_that_is_done_once_opens_too(toy: Toy):
    toy.tune("update", due_rule="once")
    one = book(toy, None)
    assert toy.state(one, "update")["next_due_at"] == toy.now

    toy.begin("west", run="r2", pipeline="library")
    assert toy.drain() == 1
    assert toy.state(one, "update")["next_due_at"] is None
    toy.finish("r2", "library")
    toy.later(hours=1)
    toy.call("reset_asset", p_asset_id=one, p_operations=["history"])
    toy.begin("west", run="r3", pipeline="library")
    toy.drain()
    assert toy.state(one, "update")["next_due_at"] is None, "done is done"


def test_a_session_is_due_once_it_has_closed_and_the_lag_has_passed(library: Toy):
    book(library, "2024-03-04")

    library.at(moment("05 21:14:59"))
    assert library.begin("west", run="r2", pipeline="library", mode="known") == []
    library.finish("r2", "library")
    library.at(moment("05 21:15"))
    (planned,) = library.begin("west", run="r3", pipeline="library", mode="known")
    assert (planned["operation"], planned["planned"]) == ("update", 1)


def test_a_calendar_may_have_a_lag_of_its_own(library: Toy):
    library.sql(
        "insert into headgate.publication_lags select provider_id, 'XTOY', '7 hours 30 minutes'"
        " from headgate.providers where name = 'shop'"
    )
    one = book(library, "2024-03-04")

    assert library.state(one, "update")["next_due_at"] == moment("06 04:30")


def test_an_update_that_brought_no_new_session_waits_for_the_next(library: Toy):
    one = book(library, "2024-03-04")
    library.at(moment("05 22:00"))
    library.begin("west", run="r2", pipeline="library")
    library.drain(says={"records": 0})

    assert library.state(one, "update")["next_due_at"] == moment("06 21:15")


def test_past_the_end_of_the_calendar_the_pair_stays_due(library: Toy):
    library.at(moment("07 09:00"))
    one = book(library, "2024-03-06")

    assert library.state(one, "update")["next_due_at"] == library.now
    library.begin("west", run="r2", pipeline="library")
    assert library.drain(says={"watermark": "2024-03-07"}) == 1
    assert library.state(one, "update")["next_due_at"] == library.now


def test_a_computation_is_due_when_an_input_has_changed_rows(library: Toy):
    one = book(library, "2024-03-04")

    assert library.state(one, "sum")["next_due_at"] == library.now


def test_a_computation_is_not_due_when_its_inputs_brought_nothing_new(library: Toy):
    (one,) = library.add(1, "W", "books")
    library.begin("west", pipeline="library")
    library.drain(says={"records": 0})

    assert library.state(one, "sum")["next_due_at"] is None


def test_an_input_that_changes_during_the_computation_makes_it_due_again(library: Toy):
    one = book(library, "2024-03-04")
    library.start("r2", "library")
    library.enqueue("sum", "r2", "library")
    (chunk,) = library.claim()
    library.at(moment("06 09:00"))
    library.begin("west", run="r2", pipeline="library")
    library.complete(library.claim()[0])
    library.complete(chunk)

    state = library.state(one, "sum")
    assert state["succeeded_at"] == library.now
    assert state["next_due_at"] <= library.now


def test_a_skipped_job_is_not_due_any_more(toy: Toy):
    (asset,) = toy.add(1)
    toy.begin()
    toy.drain(says={"status": "skipped", "reason": "nothing to see"})

    assert toy.state(asset)["next_due_at"] == toy.now + timedelta(days=1)
    assert toy.details(asset)[0]["reason"] == "nothing to see"


def test_five_failures_in_a_row_leave_the_delta(toy: Toy):
    (asset,) = toy.add(1)
    for n in range(1, 6):
        toy.begin(run=f"r{n}")
        toy.drain(outcome="failed")
        toy.finish(f"r{n}")
        state = toy.state(asset)
        assert state["consecutive_failures"] == n
        assert (state["next_due_at"] is None) == (n == 5)


def test_a_success_forgets_the_failures_before_it(toy: Toy):
    (asset,) = toy.add(1)
    toy.begin()
    toy.drain(outcome="failed")
    toy.finish()
    assert toy.state(asset)["last_error"] == "it went wrong"
    toy.begin(run="r2")
    toy.drain()

    state = toy.state(asset)
    assert (state["consecutive_failures"], state["last_error"]) == (0, None)


@pytest.mark.parametrize("outcome", ["retry", "deferred", "failed"])
@pytest.mark.parametrize("fault", ["provider", "internal", "quota"])
def test_only_the_item_s_own_faults_count(toy: Toy, outcome: str, fault: str):
    (asset,) = toy.add(1)
    toy.begin()
    toy.complete(toy.claim()[0], outcome, fault=fault)
    toy.finish()

    state = toy.state(asset)
    assert (state["consecutive_failures"], state["next_due_at"]) == (0, toy.now)

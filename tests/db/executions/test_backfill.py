"""A backfill: one run for each day without a successful run, oldest first, one after the other."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from tests.db.conftest import Toys
from tests.db.together import at_once, close
from tests.db.toy import Toy
from tests.plan import Row

FIRST, LAST = "2024-02-28", "2024-03-01"
QUEUED = "select run_id from headgate.v_queued_runs order by position"
RUNS = (
    "select run_id, status, is_backfill, (logical_date at time zone 'UTC')::text as date, started_at"
    " from headgate.process_executions order by execution_id"
)
NAMES = ["backfill-2024-02-28", "backfill-2024-02-29", "backfill-2024-03-01"]


def dated(toy: Toy) -> Toy:
    """Make the requests of `plain` contain the date; it has two assets, done today."""
    toy.tune("look", path="/look/{asset.code}/{run.date}", query={})
    toy.add(2)
    toy.begin(run="today")
    toy.drain()
    toy.finish("today")
    toy.later(minutes=1)
    return toy


@pytest.fixture
def past(toy: Toy) -> Toy:
    """Return a pipeline whose requests contain the date."""
    return dated(toy)


def backfill(toy: Toy, first: str | None = FIRST, last: str | None = LAST, **more: Any) -> Row:
    """Request a backfill of these days."""
    return toy.row("backfill", p_pipeline="plain", p_from=first, p_to=last, **more)


def names(toy: Toy) -> list[str]:
    """Return the names of the runs for past days."""
    return [x["run_id"] for x in toy.sql(RUNS) if x["is_backfill"]]


def test_each_day_has_a_run_oldest_first_and_one_at_a_time(past: Toy):
    assert backfill(past) == {"days": 3, "queued": 3, "done": 0, "waiting": 0}
    assert [x["run_id"] for x in past.sql(QUEUED)] == NAMES

    asked = []
    while claimed := past.claim(chunks=5):
        running = [x["run_id"] for x in past.sql(RUNS) if x["status"] == "running"]
        assert len(running) == 1
        for chunk in claimed:
            asked += [(running[0], url.rpartition("/")[2]) for url in chunk["urls"]]
            past.complete(chunk)

    assert asked == [(f"backfill-{day}", day) for day in (FIRST, "2024-02-29", LAST) for _ in "ab"]
    assert [(x["run_id"], x["status"]) for x in past.sql(RUNS) if x["is_backfill"]] == [
        (x, "succeeded") for x in NAMES
    ]


def test_requested_twice_it_starts_nothing_twice(past: Toy):
    backfill(past)
    assert backfill(past) == {"days": 3, "queued": 0, "done": 0, "waiting": 3}
    past.advance()
    assert backfill(past, last="2024-03-02") == {"days": 4, "queued": 1, "done": 0, "waiting": 3}
    past.drain()

    with past.unchanged():
        assert backfill(past) == {"days": 3, "queued": 0, "done": 3, "waiting": 0}


def test_a_day_whose_run_failed_or_was_cancelled_has_another(past: Toy):
    backfill(past)
    past.advance()
    past.call("cancel_execution", p_pipeline="plain", p_run_id=NAMES[0])
    past.drain(outcome="failed")
    assert backfill(past) == {"days": 3, "queued": 3, "done": 0, "waiting": 0}
    past.drain()
    assert names(past)[3:] == [f"{x}-2" for x in NAMES]
    past.sql("update headgate.process_executions set status = 'failed' where is_backfill")
    past.later(minutes=1)
    backfill(past, last=FIRST)

    assert [x["run_id"] for x in past.sql(QUEUED)] == [f"{NAMES[0]}-3"]


def test_a_day_that_a_run_of_another_kind_has_done_is_done(past: Toy):
    past.start("scheduled", p_logical_date="2024-02-29T21:30:00Z")
    past.finish("scheduled")

    assert backfill(past)["done"] == 1
    assert [x["run_id"] for x in past.sql(QUEUED)] == [NAMES[0], NAMES[2]]


def test_a_back_fill_waits_for_the_run_that_is_open_and_for_those_of_every_day(past: Toy):
    past.add(1, first=7)
    past.start("now", p_driver="headgate")
    backfill(past)
    past.sql(
        "insert into headgate.queued_runs (pipeline_id, run_id, logical_date, queued_at) select pipeline_id,"
        " 'after-2024-03-05T00:00:00Z', '2024-03-05Z', now() from headgate.pipelines where name = 'plain'"
    )
    past.advance()
    assert names(past) == []
    past.drain()

    runs = [x["run_id"] for x in past.sql(RUNS)]
    assert runs == ["today", "now", "after-2024-03-05T00:00:00Z", *NAMES]


def test_more_than_a_hundred_runs_want_to_be_confirmed(past: Toy):
    long = {"first": "1996-10-18", "last": "2024-03-04"}
    with past.refused("HG024", "from 1996-10-18 to 2024-03-04 starts 10,000 runs", "--yes"):
        backfill(past, **long)
    assert past.sql(QUEUED) == []

    assert backfill(past, **long, p_confirm=True)["queued"] == 10_000
    assert backfill(past, **long)["queued"] == 0


def test_a_hundred_runs_are_queued_without_a_question(past: Toy):
    assert backfill(past, "2023-11-26", "2024-03-04")["queued"] == 100


@pytest.mark.parametrize(
    ("first", "last", "words"),
    [
        (LAST, FIRST, ["the first day, 2024-03-01, is after the last one, 2024-02-28"]),
        (FIRST, "2024-03-06", ["2024-03-06 is in the future: today is 2024-03-05"]),
        (None, LAST, ["needs its first and its last day"]),
        ("-infinity", LAST, ["needs its first and its last day"]),
    ],
)
def test_days_that_make_no_range_are_refused(
    past: Toy, first: str | None, last: str | None, words: list[str]
):
    with past.refused("HG008", *words):
        backfill(past, first, last)


def test_an_unknown_pipeline_is_refused_with_near_misses(past: Toy):
    with past.refused("HG001", "unknown pipeline: 'plian'", "did you mean plain?"):
        past.row("backfill", p_pipeline="plian", p_from=FIRST, p_to=LAST)


def test_a_back_fill_of_a_retired_pipeline_is_refused(past: Toy):
    past.sql("update headgate.pipelines set is_retired = true where name = 'plain'")
    with past.refused("HG001", "pipeline plain is retired"):
        backfill(past)


def test_a_back_fill_of_requests_without_a_date_is_refused(toy: Toy):
    with toy.refused("HG022", "pipeline plain has no request that names a date"):
        backfill(toy)


def test_a_back_fill_of_a_paused_pipeline_waits(past: Toy):
    past.call("pause_pipeline", p_pipeline="plain")
    backfill(past)
    past.advance()
    assert names(past) == []

    past.call("resume_pipeline", p_pipeline="plain")
    past.drain()
    assert names(past) == NAMES


def test_two_who_ask_at_once_queue_each_day_once(toys: Toys):
    one, two = dated(toys.one), toys.another()
    two.at(one.now)
    answers = at_once(lambda: backfill(one), lambda: backfill(two))

    assert sorted(x["queued"] for x in answers) == [0, 3]
    assert [x["run_id"] for x in one.sql(QUEUED)] == NAMES


def test_a_runner_killed_while_it_starts_one_leaves_it_to_the_next(toys: Toys):
    one, killed = dated(toys.one), toys.another(autocommit=False)
    killed.at(one.now)
    backfill(one)
    assert killed.value("advance_executions")
    assert names(killed) == NAMES[:1]
    close(killed, one)
    assert names(one) == []

    one.drain()
    assert names(one) == NAMES


def test_the_document_of_a_run_says_its_day(past: Toy):
    backfill(past, first=LAST)
    past.drain()

    (row,) = past.sql(
        "select document #>> '{run,date}' as day from headgate.v_run_documents where run_id = %(r)s",
        r=NAMES[2],
    )
    assert date.fromisoformat(row["day"]) == date(2024, 3, 1)

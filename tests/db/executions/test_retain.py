"""Old history is dropped by the month."""

from __future__ import annotations

from functools import partial

import pytest

from tests.db.conftest import Toys
from tests.db.together import meanwhile, waits
from tests.db.toy import Toy


def retain(toy: Toy, keep: str | None) -> tuple[int, int]:
    """Drop older history; return partitions and executions."""
    row = toy.sql("select * from headgate.retain(%(keep)s::interval)", keep=keep)[0]
    return row["dropped_partitions"], row["deleted_executions"]


@pytest.fixture
def old(toy: Toy) -> Toy:
    """A run in January and one in March."""
    toy.at("2024-01-10 12:00+00:00")
    toy.call("check_plans")
    toy.add(3)
    for n, day in enumerate(["2024-01-10 12:00+00:00", "2024-03-05 12:00+00:00"]):
        toy.at(day)
        toy.begin(run=f"r{n}")
        toy.drain()
        toy.finish(f"r{n}")
    return toy


def test_whole_months_and_ended_executions_are_dropped(old: Toy):
    january = "select count(*) from headgate.asset_processing_details_202401"
    assert old.scalar(january) == 3

    assert retain(old, "30 days") == (1, 1)
    assert [x["run_id"] for x in old.details()] == ["r1"] * 3
    assert (
        old.sql("select to_regclass('headgate.asset_processing_details_202401') as t")[0]["t"]
        is None
    )
    assert old.execution("r1")["status"] == "succeeded"
    with old.refused("HG002"):
        old.execution("r0")
    assert len(old.sql("select * from headgate.quota_windows")) == 1


def test_the_oldest_go_first_and_it_says_how_many_are_left(old: Toy):
    old.runs(4, started="2024-01-09 12:00+00:00")
    before = "'2024-02-01 00:00+00'"

    assert old.sql(f"select headgate._forget_runs({before}, 4) as runs") == [{"runs": 4}]
    assert old.execution("r0")["status"] == "succeeded", "it started last"
    assert old.sql(f"select headgate._left_runs({before}) as runs") == [{"runs": 1}]
    assert old.row("retain", p_keep="30 days") == {
        "dropped_partitions": 1,
        "deleted_executions": 1,
        "left_executions": 0,
    }


def test_two_that_forget_at_once_do_not_wait_for_each_other(toys: Toys):
    toys.one.runs(5)
    toys.one.later(days=400)
    first, second = toys.another(autocommit=False), toys.another()
    forget = "select headgate._forget_runs((select headgate.clock()), 3)"

    assert first.scalar(forget) == 3
    assert second.scalar(forget) == 2, "those that the first has not taken"
    first.connection.commit()
    assert toys.one.scalar("select count(*) from headgate.process_executions") == 0


def test_what_is_young_enough_is_kept(old: Toy):
    before = old.snapshot()

    assert retain(old, "60 days") == (0, 0)
    assert old.snapshot() == before


def test_a_month_goes_when_its_last_moment_is_old_enough(old: Toy):
    old.sql("set local timezone = 'Pacific/Kiritimati'")
    old.at("2024-03-01 23:59:59+00:00")
    assert retain(old, "30 days")[0] == 0

    old.at("2024-03-02 00:00:00+00:00")
    assert retain(old, "30 days")[0] == 1


def test_a_second_call_changes_nothing(old: Toy):
    retain(old, "30 days")

    with old.unchanged():
        assert retain(old, "30 days") == (0, 0)


def test_an_execution_with_a_call_under_way_stays_whole(toy: Toy):
    toy.add(13, "O", "others")
    toy.start("r1", "aside")
    toy.enqueue("all", "r1", "aside")
    (chunk,) = toy.claim()
    toy.call("cancel_execution", p_pipeline="aside", p_run_id="r1")
    toy.later(days=3)
    steps = toy.sql("select * from headgate.process_steps")

    assert retain(toy, "1 day")[1] == 0
    assert toy.sql("select * from headgate.process_steps") == steps
    toy.complete(chunk)
    assert retain(toy, "1 day")[1] == 1


def test_rows_of_months_without_a_partition_go_too(toy: Toy):
    toy.at("2019-05-05 12:00+00:00")
    toy.add(1)
    toy.begin()
    toy.drain()
    toy.finish()
    toy.at("2024-03-05 12:00+00:00")

    assert retain(toy, "400 days")[1] == 1
    assert toy.details() == []


@pytest.mark.parametrize("keep", ["0 days", "-5 days", "23 hours", None])
def test_at_least_a_day_is_kept(toy: Toy, keep: str | None):
    with toy.unchanged(), toy.refused("HG008", "at least 1 day"):
        retain(toy, keep)


def test_two_that_make_the_same_month_at_once_both_succeed(toys: Toys):
    toys.one.later(days=200)  # months that nobody has opened yet
    one, two = toys.another(autocommit=False), toys.another()
    one.call("retain", p_keep="900 days")
    again = partial(two.call, "retain", p_keep="900 days")
    with meanwhile(again, two, toys.one) as answers:
        assert waits(two, toys.one, answers), "it waits for the partition"
        one.connection.commit()

    assert answers == [[{"dropped_partitions": 0, "deleted_executions": 0, "left_executions": 0}]]


def test_other_tables_that_end_in_six_digits_are_none_of_its_months(toy: Toy):
    """A TOAST table's name ends in its owner's OID, not in a month: 106187 would be month 61."""
    toy.sql("create table headgate.elsewhere_106187 ()")
    toy.sql("set local enable_nestloop = off")  # checks all tables first

    assert toy.row("retain", p_keep="400 days")["dropped_partitions"] == 0

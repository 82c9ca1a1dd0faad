"""Freshness is counted once a minute by one runner; without a runner it is counted for each reader."""

from __future__ import annotations

from typing import Any

from tests.db.conftest import Toys
from tests.db.toy import Toy

COUNTED = "select * from headgate.v_counted_freshness where operation = 'look'"
EXACT = "select * from headgate.v_data_freshness where operation = 'look'"


def beat(toy: Toy) -> bool:
    """Send a runner's heartbeat; return whether it asks the runner to count."""
    return bool(
        toy.row("heartbeat", p_runner="w", p_host="h", p_pid=1, p_version="1")["counts_due"]
    )


def keep(toy: Toy) -> bool:
    return bool(toy.value("keep_counts"))


def assets(toy: Toy) -> dict[str, Any]:
    """Return the counted number of assets of each group, all of them counted at the same time."""
    rows = toy.sql(COUNTED)
    assert len({x["counted_at"] for x in rows}) <= 1
    return {x["group_key"]: x["assets"] for x in rows}


def counted_at(toy: Toy) -> Any:
    return toy.sql(COUNTED)[0]["counted_at"]


def test_a_runner_counts_at_most_once_a_minute_and_readers_see_when(toy: Toy):
    toy.add(2)
    assert beat(toy)
    assert keep(toy)
    began = toy.now
    toy.add(3, group="B")
    toy.later(seconds=59)

    assert not beat(toy)
    assert not keep(toy)
    assert assets(toy) == {"A": 2}
    assert counted_at(toy) == began
    assert {x["group_key"] for x in toy.sql(EXACT)} == {"A", "B"}, "this one is always exact"
    metrics = toy.sql(
        "select value from headgate.v_metrics where name = 'headgate_assets_counted_timestamp_seconds'"
    )
    assert [x["value"] for x in metrics] == [began.timestamp()]

    toy.later(seconds=1)
    assert beat(toy)
    assert keep(toy)
    assert assets(toy) == {"A": 2, "B": 3}
    assert counted_at(toy) == toy.now
    toy.sql("update headgate.assets set is_active = false where group_key = 'A'")
    toy.later(minutes=1)
    assert keep(toy)
    assert assets(toy) == {"B": 3}, "a group that is gone does not stay"


def test_without_a_runner_or_with_old_counts_a_reader_counts_by_itself(toy: Toy):
    toy.add(2)
    keep(toy)
    toy.add(3, group="B")
    exact = toy.sql(EXACT)

    def is_exact() -> bool:
        return toy.sql(COUNTED) == [{**x, "counted_at": toy.now} for x in exact]

    assert is_exact(), "no runner is alive"
    beat(toy)
    assert not is_exact()
    toy.later(minutes=2)
    assert is_exact(), "a runner is alive, but does not count"
    toy.later(hours=-1)
    assert is_exact(), "the counts are from another clock"
    assert beat(toy)


def test_what_takes_long_to_count_no_reader_counts(toy: Toy):
    toy.add(2)
    keep(toy)
    toy.add(3, group="B")
    toy.sql("update headgate.count_times set next_at = counted_at + interval '61 seconds'")
    toy.later(days=1)

    assert assets(toy) == {"A": 2}, "no runner is alive"
    assert toy.scalar("select sum(assets) from headgate_bi.freshness") == 2
    assert {x["group_key"] for x in toy.sql(EXACT)} == {"A", "B"}, "this one is always exact"


def test_one_runner_counts_while_the_others_go_on(toys: Toys):
    toys.one.add(2)
    first = toys.another(autocommit=False)

    assert keep(first)
    assert beat(toys.one), "nothing is committed yet"
    assert not keep(toys.one)
    first.connection.commit()
    assert not beat(toys.one)
    assert assets(toys.one) == {"A": 2}

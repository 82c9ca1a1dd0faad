"""plan_metrics runs the plans' queries; one that fails costs no other."""

from __future__ import annotations

import pytest

from tests.db.declare.conftest import Shelf
from tests.db.declare.test_put_metric import STOCK, gauge, put, samples
from tests.db.toy import Toy


@pytest.fixture
def shelf(toy: Toy) -> Shelf:
    """Return the plan's declarations."""
    return Shelf(toy)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("select 1 / 0 as value", "division by zero [22012]"),
        ("select n, n as value from generate_series(1, 101) as n", "more than 100"),
        ("select 1 as value union all select 2", "two of its samples have the same labels"),
        ('select 1 as "Größe", 1 as value', "'Größe' is not a label's name"),
        ("select 1 as value from toy.spend()", "read-only transaction [25006]"),
        ("select value from headgate.v_metrics where name = 'toy_stock'", None),
    ],
)
def test_a_metric_that_fails_costs_only_itself_and_is_told(
    shelf: Shelf, toy: Toy, query: str, said: str | None
):
    toy.sql(
        "create function toy.spend() returns void language sql security definer"
        " as 'update headgate.quota_windows set spent = 0'"
    )
    toy.sql("grant execute on function toy.spend() to public")
    put(shelf, STOCK, gauge(query))
    found = toy.sql("select found from headgate.examine() where subject = 'metric toy_figure'")
    toy.sql("set local role headgate_reader")
    failed = {x["metric"]: value for x, value in samples(toy, "headgate_metric_errors")}
    kept, lost = samples(toy, "toy_stock"), samples(toy, "toy_figure")
    toy.sql("reset role")

    assert failed["toy_figure"] == (said is not None)
    assert failed["toy_stock"] == 0
    assert (kept, lost) == ([({}, 0)], [])
    assert len(found) == (said is not None)
    assert said is None or said in found[0]["found"]


def test_a_query_that_takes_too_long_is_cancelled_and_later_ones_are_not_made(
    shelf: Shelf, toy: Toy
):
    put(shelf, gauge("select 1 as value, pg_sleep(600)"), STOCK)
    toy.sql("set local statement_timeout = '300ms'")
    rows = toy.sql("select name, error from headgate.plan_metrics() where name like 'toy_%%'")

    assert [(x["name"], x["error"]) for x in rows] == [
        ("toy_figure", "it took longer than the statement_timeout of 0.3 seconds"),
        ("toy_stock", "it was not made: the statement_timeout was over"),
    ]

"""put_metric: a plan's own figures among the metrics; one that fails costs no other."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from tests.db.declare.conftest import Shelf
from tests.db.toy import Toy

STOCK = (
    "put_metric('toy_stock', 'gauge', 'Answers kept.', 'select count(*) as value from toy.answers')"
)


def put(shelf: Shelf, *calls: str) -> list[str]:
    return shelf.put(*calls, plan="toy")


def gauge(query: str, name: str = "toy_figure", **more: str) -> str:
    """Return a call that declares a gauge."""
    further = "".join(f", {x} => '{y}'" for x, y in more.items())
    return f"put_metric('{name}', 'gauge', 'A figure.', $q${query}$q${further})"


def samples(toy: Toy, name: str) -> list[tuple[Any, float]]:
    """Return labels and values of a metric's samples."""
    rows = toy.sql(
        "select labels, value from headgate.v_metrics where name = %(name)s order by labels",
        name=name,
    )
    return [(x["labels"], x["value"]) for x in rows]


def test_a_metric_is_declared_changed_and_retired(shelf: Shelf, toy: Toy):
    assert put(shelf, STOCK) == ["created", "unchanged"]
    assert put(shelf, STOCK) == ["unchanged", "unchanged"]
    assert put(shelf, STOCK.replace("count(*)", "count(*) + 7"))[0] == "changed: query"
    assert samples(toy, "toy_stock") == [({}, 7)]
    assert toy.sql("select type, help from headgate.v_metrics where name = 'toy_stock'") == [
        {"type": "gauge", "help": "Answers kept."}
    ]

    assert put(shelf) == ["retired: metric toy_stock"]
    assert samples(toy, "toy_stock") == []
    with pytest.raises(psycopg.errors.UndefinedFunction), toy.connection.transaction():
        toy.sql("select * from toy.metric_toy_stock()")


def test_every_column_but_the_value_is_a_label(shelf: Shelf, toy: Toy):
    query = "select * from (values ('a', 1, 0.5), ('b', null, 2), ('c', 3, null)) as x (shop, size, value)"
    put(shelf, gauge(query))

    assert samples(toy, "toy_figure") == [({"shop": "b"}, 2), ({"shop": "a", "size": "1"}, 0.5)]


@pytest.mark.parametrize(
    ("call", "rule"),
    [
        (STOCK.replace("'gauge'", "'counter'"), "only counters end in total"),
        (STOCK.replace("'gauge'", "'histogram'"), "metric type is known"),
        (STOCK.replace("toy_stock", "headgate_stock"), "metric name is plain"),
        (STOCK.replace("toy_stock", "toy_stock_sum"), "metric name is not a sample s"),
        (STOCK.replace("Answers kept.", " "), "metric has help"),
        (gauge("select 1 as value", timeout="2 minutes"), "metric timeout in range"),
    ],
)
def test_a_mistaken_metric_is_refused_by_its_rule(shelf: Shelf, call: str, rule: str):
    with shelf.refused() as said:
        put(shelf, call)

    assert rule in said[0]


def test_a_plan_without_a_schema_cannot_have_one(shelf: Shelf):
    assert "metric toy_stock: plan shelf has no schema" in shelf.mistakes(STOCK)

"""A runner gets the columns of a table's changes, as PostgreSQL's own types or text, and where to stop reading."""

from __future__ import annotations

from tests.db.declare.conftest import Shelf
from tests.db.declare.test_changes import PLAN
from tests.db.toy import Toy


def test_columns_of_a_plan_s_own_types_are_texts(toy: Toy):
    toy.sql("create type toy.kind as enum ('a', 'b')")
    toy.sql("create domain toy.price as numeric(8, 2)")
    toy.sql(
        "create table toy.grains (n integer primary key, kind toy.kind, price toy.price, size numeric(8, 2))"
    )
    toy.sql("alter table toy.grains owner to headgate_plan_toy")
    Shelf(toy).put(*PLAN)
    toy.sql('alter table toy.grains drop column kind, add "Odd, one" text[]')

    (told,) = toy.call("open_changes", p_operation="dust", p_most=9)
    assert told["columns"] == 'n integer, price text, size numeric(8,2), "Odd, one" text[]'
    assert told["position"] == toy.scalar("select pg_current_snapshot()::text")


def test_an_operation_without_changes_has_nothing_to_open(toy: Toy):
    assert toy.call("open_changes", p_operation="look", p_most=9) == []

"""put_check: conditions on data, as rows; each query becomes a function of the plan."""

from __future__ import annotations

import psycopg
import pytest

from tests.db.declare.conftest import Shelf
from tests.db.toy import Toy

COUNT = "put_check('stock', 'row_count', \"on\" => 'toy.answers')"


def put(shelf: Shelf, *calls: str) -> list[str]:
    return shelf.put(*calls, plan="toy")


def test_a_check_is_declared_changed_and_retired(shelf: Shelf, toy: Toy):
    assert put(shelf, COUNT) == ["created", "unchanged"]
    assert put(shelf, COUNT) == ["unchanged", "unchanged"]
    assert put(shelf, COUNT.replace("'row_count'", "'row_count', error_if => '< 5'"))[0] == (
        "changed: error_if"
    )
    assert toy.sql("select * from toy.check_stock()") == [
        {"subject": "", "value": 0, "failing": [{"row_count": 0}]}
    ]

    assert put(shelf) == ["retired: check stock"]
    with pytest.raises(psycopg.errors.UndefinedFunction), toy.connection.transaction():
        toy.sql("select * from toy.check_stock()")
    assert toy.sql("select name from headgate.v_checks where name = 'stock'") == []


def test_a_changed_query_is_a_changed_function(shelf: Shelf, toy: Toy):
    put(shelf, "put_check('none', query => 'select 1 as one')")
    result = put(shelf, "put_check('none', query => 'select 1 as one union all select 2;')")

    assert result[0] == "changed: query"
    assert toy.scalar("select value from toy.check_none()") == 2


def test_the_function_is_the_plan_s(shelf: Shelf, toy: Toy):
    put(shelf, COUNT)
    row = toy.sql(
        "select pg_get_userbyid(p.proowner)::text as owner, p.prosecdef, p.proconfig[1] as path"
        " from pg_proc as p where p.oid = 'toy.check_stock()'::regprocedure"
    )

    assert row == [
        {
            "owner": "headgate_plan_toy",
            "prosecdef": True,
            "path": "search_path=pg_catalog, pg_temp",
        }
    ]


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (
            "put_check('stock', 'row_count')",
            "check stock: a check of kind row_count takes on",
        ),
        (
            "put_check('stock', 'unique', \"on\" => 'toy.answers', columns => '{asset}')",
            "check stock: toy.answers has no column 'asset'\n    hint: did you mean asset_id?",
        ),
        (
            "put_check('stock', 'unique', \"on\" => 'toy.answer', columns => '{asset_id}')",
            "check stock: there is no table or view 'toy.answer'",
        ),
        (
            "put_check('stock', 'accepted_values', \"on\" => 'toy.answers', columns => '{times}')",
            "a check of kind accepted_values takes on, columns, accepted",
        ),
        (
            "put_check('stock', 'uniq', \"on\" => 'toy.answers')",
            "check stock breaks the rule: check kind is known",
        ),
        (
            "put_check('stock', query => 'select 1', error_if => '> many')",
            "check stock: '> many' compares with nothing",
        ),
        (
            "put_check('stock', query => 'select 1', error_if => 'between 1 and 2')",
            "check stock: 'between 1 and 2' compares with nothing",
        ),
        (
            "put_check('stock', 'freshness', \"on\" => 'toy.answers', columns => '{payload}')",
            "check stock breaks the rule: check can fail",
        ),
        (
            "put_check('stock', query => 'select 1', severity => 'bad')",
            "check stock breaks the rule: check severity is known",
        ),
        (
            "put_check('stock', query => 'select 1', pipeline => 'nowhere')",
            "check stock: unknown pipeline 'nowhere'",
        ),
    ],
)
def test_a_mistake_is_named(shelf: Shelf, toy: Toy, call: str, said: str):
    with shelf.refused() as found:
        put(shelf, call)
    assert said in found[0]


def test_a_query_with_a_mistake_is_refused_by_postgresql_itself(shelf: Shelf, toy: Toy):
    with (
        pytest.raises(psycopg.errors.UndefinedTable, match=r"toy\.nothing"),
        toy.connection.transaction(),
    ):
        put(shelf, "put_check('stock', query => 'select * from toy.nothing')")


def test_a_plan_without_a_schema_cannot_have_a_check(shelf: Shelf):
    assert "check stock: plan shelf has no schema" in shelf.mistakes(COUNT)


def test_an_operators_value_stays_until_the_files_value_changes(shelf: Shelf, toy: Toy):
    put(shelf, COUNT)
    toy.call("set_check", p_check="stock", p_changes={"severity": "warn"})
    put(shelf, COUNT)
    assert shelf.row("checks", "stock")["severity"] == "warn"

    put(shelf, COUNT.replace("'row_count'", "'row_count', severity => 'error'"))
    assert shelf.row("checks", "stock")["severity"] == "error"


def test_a_pipeline_whose_runs_make_checks_cannot_be_retired_without_them(shelf: Shelf, toy: Toy):
    shelf.put("put_pipeline('shelves')")
    put(shelf, COUNT.replace("'row_count'", "'row_count', pipeline => 'shelves'"))

    with shelf.refused() as said:
        shelf.put()
    assert "pipeline shelves is no longer declared, but check stock is made in its runs" in said[0]

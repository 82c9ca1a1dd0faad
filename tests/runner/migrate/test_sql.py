"""Splitting SQL files into statements."""

from __future__ import annotations

from pathlib import Path

import pglast
import pytest
from pgmq.install import get_embedded_install_sql

from headgate.migrate.sql import statements
from tests.servers import DB

FILES = sorted(x for x in DB.rglob("*.sql") if x.name != "schema.sql")


def test_a_semicolon_in_a_text_a_comment_or_a_body_does_not_split():
    text = """-- one; two
select 'a;''b', e'\\';', "c;d" /* e; f */;
do $$ begin perform 1; end; $$;
create rule r as on insert to t do (select 1; select 2);
select $tag$ $$ ; $$ $tag$, $1"""

    assert [(x.line, x.text.split()[0]) for x in statements(text)] == [
        (2, "select"),
        (3, "do"),
        (4, "create"),
        (5, "select"),
    ]


def test_a_position_becomes_the_files_line():
    (statement,) = statements("\n\nselect 1,\n  2,\n  oops;")

    assert statement.line_of(statement.text.index("oops") + 1) == 5
    assert statement.line_of(1) == 3


def test_a_file_of_comments_has_no_statement():
    assert list(statements("-- nothing;\n/* here; */\n;")) == []


@pytest.mark.parametrize("path", FILES, ids=[str(x.relative_to(DB)) for x in FILES])
def test_statements_are_split_where_postgresqls_own_parser_splits_them(path: Path):
    text = path.read_text()

    assert len(list(statements(text))) == len(pglast.split(text))


def test_the_sql_of_pgmq_is_split_where_postgresqls_own_parser_splits_it():
    text = get_embedded_install_sql()

    assert len(list(statements(text))) == len(pglast.split(text))

"""docs/changes.md: its plan is valid, and it lists each column of the files."""

from __future__ import annotations

import re

from tests.adopt import adopt
from tests.docs import ROOT, blocks

PAGE = ROOT / "docs" / "changes.md"


def test_the_page_s_plan_has_no_mistake_and_logs_changes(db):
    db.sql("create schema shop; create table shop.orders (id bigint primary key, amount numeric)")
    adopt(db.connection, "shop")
    (block,) = (x for x in blocks(PAGE, "sql") if "needs" in x.marks)
    db.connection.execute(block.text.encode())
    db.sql("insert into shop.orders values (1, 2.50)")

    assert db.scalar("select operation from headgate_changes.order_changes") == "insert"


def test_the_page_tells_the_columns_that_files_have(db):
    result = db.scalar(
        "select pg_get_function_result(p.oid) from pg_proc as p where p.proname = 'read_changes'"
    )
    names = set(re.findall(r"(\w+) [\w ]+[,)]", result)) - {"asset_id", "cdc_hour", "content"}

    assert set(re.findall(r"^\| `(\w+)` \|", PAGE.read_text(), re.MULTILINE)) == names

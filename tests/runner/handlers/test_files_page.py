"""docs/files.md: its plan is valid, its handler runs, its options are export's."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import numpy as np

from headgate.handlers import Chunk, File
from headgate.handlers.export.handler import OPTIONS, WRITERS
from headgate.handlers.records import process
from tests.adopt import adopt
from tests.docs import ROOT, blocks

PAGE = ROOT / "docs" / "files.md"
INPUT = """
    create schema lake authorization headgate_owner;
    create function lake.read_quotes(p_context jsonb, p_asset_ids bigint[])
    returns table (asset_id bigint, day text, price numeric) language sql stable security definer
    set search_path = pg_catalog, pg_temp as $$ select 1, 'day=2026-11-29', 1.5 $$;
    alter function lake.read_quotes owner to headgate_owner;
    create function lake.raw_files(p_context jsonb, p_asset_ids bigint[])
    returns table (asset_id bigint, to_fetch bigint[]) language sql stable security definer
    set search_path = pg_catalog, pg_temp as $$ select 1, '{}'::bigint[] $$;
    alter function lake.raw_files owner to headgate_owner;
    create table lake.quotes (symbol text, day date, price numeric, primary key (symbol, day));
"""


def test_the_page_s_plan_has_no_mistake(db):
    db.sql(INPUT)
    adopt(db.connection)
    statements = [x for x in blocks(PAGE, "sql") if "needs" in x.marks]
    for block in statements:
        db.sql(f"set role {'headgate_owner' if 'create function' in block.text else 'none'}")
        db.connection.execute(block.text.encode())
    assert (
        db.scalar("select stage from headgate.operations where name = 'quotes_back'")
        == "lake.quotes"
    )

    assert len(statements) == 6
    found = "select store from headgate.v_stores where store in ('cloud', 'lake', 'minio')"
    assert {x["store"] for x in db.sql(found)} == {"cloud", "lake", "minio"}


def test_the_page_s_handler_writes_files(tmp_path):
    (block,) = blocks(PAGE, "python")
    names: dict[str, object] = {}
    exec(block.text, names)
    write = names["write"]
    assert callable(write)
    chunk = Chunk(
        np.array([7]), ["A"], np.array(["NaT"], "datetime64[us]"), {}, datetime.now(UTC),
        names=["sheets/A.txt"], folder=tmp_path,
    )  # fmt: skip

    files = write(chunk).files[7]
    assert set(files) == {"sheets/A.txt", "sheets/A.txt.head"}
    assert isinstance(files["sheets/A.txt"], File)
    assert (tmp_path / "7").read_text() == "the sheet of A"


def test_the_page_has_each_option_of_convert_formats_and_process_data():
    text = PAGE.read_text()

    assert [x for x in process.OPTIONS if f"`{x}`" not in text and f'"{x}"' not in text] == []


def test_the_page_has_each_option_and_format():
    rows = re.findall(
        r"^\| (`.*?) \|", PAGE.read_text().split("\n## Export\n")[1].split("\n## ")[0], re.MULTILINE
    )

    told = {x for row in rows for x in re.findall(r"`(\w+)`", row)}
    assert told - {"artifact_name"} == OPTIONS
    formats = {x for row in rows for x in re.findall(r"`[.](\w+)`", row)}
    assert formats == set(WRITERS)

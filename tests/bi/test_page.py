"""docs/bi.md: its connection strings agree, and its Python runs."""

from __future__ import annotations

import re
from typing import Any

from headgate.database import READER, dsn_of
from headgate.settings import Settings
from tests.docs import ROOT, blocks

PAGE = ROOT / "docs" / "bi.md"


def test_every_tool_connects_as_the_reader_to_the_port_that_was_opened():
    table = re.findall(r"^\| [^|]+ \| (.*5433.*) \|$", PAGE.read_text(), re.MULTILINE)

    assert len(table) == 6
    assert all("headgate_reader" in x and "127.0.0.1" in x for x in table)


def test_the_lines_for_pandas_show_the_backlog(template: Settings, monkeypatch, capsys):
    (block,) = blocks(PAGE, "python")
    monkeypatch.setenv("READER_DSN", dsn_of(template, role=READER))
    found: dict[str, Any] = {}
    exec(compile(block.text, str(block), "exec"), found)

    assert "prices_historical" in set(found["backlog"]["operation"])
    assert "day" in capsys.readouterr().out

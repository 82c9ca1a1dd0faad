"""db/schema.sql tells what a fresh install looks like."""

from __future__ import annotations

import pytest

from runner.database import connect
from tests.schema import dump_schema
from tests.servers import DB


def test_is_what_a_fresh_install_looks_like(template):
    with connect(template, "test") as connection:
        if connection.info.server_version // 10000 != 18:
            pytest.skip("the file is written from PostgreSQL 18")

    text = (DB / "schema.sql").read_text()

    assert text == dump_schema(template), "run `make schema` and look at the difference"

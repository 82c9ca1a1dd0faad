"""db/schema.sql equals a fresh install."""

from __future__ import annotations

import pytest

from headgate.database import connect
from headgate.migrate.run import migrate
from tests.schema import dump_schema
from tests.servers import DB


def test_the_dump_is_what_a_fresh_install_looks_like(clone):
    fresh = clone(None)
    with connect(fresh, "test") as connection:
        if connection.info.server_version // 10000 != 18:
            pytest.skip("the file is written from PostgreSQL 18")
    migrate(fresh)

    text = (DB / "schema.sql").read_text()

    assert text == dump_schema(fresh), "run `make schema` and look at the difference"

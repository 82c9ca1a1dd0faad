"""Plan `shelf`, which tests declare in the toy world as a plan.sql would."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

from tests.db.toy import Toy

PROVIDER = "put_provider('shelf', 'http://shelf.test', quota => 100)"
OPERATION = (
    "put_operation('dust', 'tomes', due => 'every 1 day', provider => 'shelf', units => 1,"
    " request => 'GET /dust/{asset.code}', ingest_function => 'toy.keep')"
)
PIPELINE = "put_pipeline('shelves')"
STEP = "put_step('shelves', 'all', operations => '{dust}')"
ALL = (PROVIDER, OPERATION, PIPELINE, STEP)


class Shelf:
    """Declares the plan; `put` takes calls without their schema and returns their results."""

    def __init__(self, toy: Toy) -> None:
        self.toy = toy

    def put(self, *calls: str, plan: str = "shelf") -> list[str]:
        """Declare the plan with these calls, and end it."""
        results = self.begun(*calls, plan=plan)
        return [*results, self.run("end_plan()")]

    def begun(self, *calls: str, plan: str = "shelf") -> list[str]:
        """Declare the plan with these calls, and leave it open."""
        self.run(f"begin_plan('{plan}')")
        return [self.run(call) for call in calls]

    def run(self, call: str) -> str:
        """Run one call."""
        query = f"select headgate.{call} as result".encode()
        row = self.toy.connection.execute(query).fetchone()
        assert row is not None
        return str(row["result"])

    def mistakes(self, *calls: str) -> str:
        """Declare the plan and expect its rejection; return message and hint."""
        with self.refused() as said:
            self.put(*calls)
        return said[0]

    @contextmanager
    def refused(self) -> Iterator[list[str]]:
        """Expect HG020 in the block; the list then holds message and hint, and nothing has changed."""
        said: list[str] = []
        with pytest.raises(psycopg.Error) as caught, self.toy.connection.transaction():
            yield said
        assert caught.value.sqlstate == "HG020", caught.value
        said.append(f"{caught.value.diag.message_primary} | {caught.value.diag.message_hint}")

    def row(self, table: str, name: str) -> dict[str, object]:
        """Return the row of that name."""
        query = f"select * from headgate.{table} where name = %s".encode()
        row = self.toy.connection.execute(query, (name,)).fetchone()
        return dict(row) if row else {}


@pytest.fixture
def shelf(toy: Toy) -> Shelf:
    """Return the plan in the toy world, not yet declared."""
    return Shelf(toy)

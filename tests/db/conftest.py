"""Fixtures of the toy world: rolled back after a test (`toy`), or in its own clone (`toys`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from psycopg import Connection
from psycopg.rows import DictRow

from headgate.database import connect
from headgate.migrate.run import migrate
from headgate.settings import Settings
from tests.adopt import adopt
from tests.conftest import Warm
from tests.db.ledger import KEPT
from tests.db.toy import Toy
from tests.servers import core_with

PLANS = ("maintenance", "notify")
TOY = Path(__file__).with_name("toy.sql")


@pytest.fixture(scope="session")
def toy_template(
    clone: Callable[[Settings | None], Settings],
    core_template: Settings,
    seed_data: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Settings:
    """Load the toy world into a clone of the core, with the plans that other plans use.

    Without the other shipped ones, checks of all plans and of the schema, and clones, take half the time.
    """
    settings = clone(core_template)
    folder = core_with(tmp_path_factory.mktemp("toy") / "db", seed_data / "db", *PLANS)
    migrate(replace(settings, db=folder))
    with connect(settings, "test") as connection:
        connection.execute(TOY.read_text().encode())
        connection.execute(KEPT.encode())
        adopt(connection, "toy")
        Toy(connection).call(
            "check_plans"
        )  # opens the months of noon: else each test would, and roll it back
    return replace(settings, db=folder)


@pytest.fixture(scope="session")
def _warm_toy(
    clone: Callable[[Settings | None], Settings], toy_template: Settings
) -> Iterator[Warm]:
    warm = Warm(clone(toy_template))
    yield warm
    warm.close()


@pytest.fixture
def _warm(_warm_toy: Warm) -> Connection[DictRow]:
    """Return the connection of all tests that roll back."""
    return _warm_toy.live()


@pytest.fixture
def toy(_warm: Connection[DictRow]) -> Iterator[Toy]:
    """Yield a transaction that is rolled back; check the ledger's invariants at its end."""
    toy = Toy(_warm)
    try:
        yield toy
        toy.assert_ledger_balances()
    finally:
        _warm.rollback()


class Toys:
    """A clone of the toy world with any number of connections; each call commits."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._open: list[Connection[DictRow]] = []
        self.one = self.another()

    def another(self, *, autocommit: bool = True) -> Toy:
        """Open another connection, with the first one's clock."""
        connection = connect(self.settings, "test", autocommit=autocommit)
        self._open.append(connection)
        return Toy(connection, self.one.now) if len(self._open) > 1 else Toy(connection)

    def close(self) -> None:
        """Close all connections."""
        for connection in self._open:
            connection.close()


@pytest.fixture
def toys(
    clone_for_test: Callable[[Settings | None], Settings], toy_template: Settings
) -> Iterator[Toys]:
    """Clone the toy world for a test with several connections; check the ledger's invariants at its end."""
    toys = Toys(replace(clone_for_test(toy_template), db=toy_template.db))
    try:
        yield toys
        toys.one.assert_ledger_balances()
    finally:
        toys.close()

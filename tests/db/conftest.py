"""Fixtures of the toy world: rolled back after a test (`toy`), or in its own clone (`toys`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from psycopg import Connection
from psycopg.rows import DictRow

from headgate.database import connect
from headgate.settings import Settings
from tests.adopt import adopt
from tests.conftest import Warm
from tests.db.toy import Toy

EMPTY = """
truncate headgate.assets, headgate.trading_sessions,
    equities.listings, equities.shipped_listings, equities.shipped_sessions cascade
"""
TOY = Path(__file__).with_name("toy.sql")


@pytest.fixture(scope="session")
def toy_template(clone: Callable[[Settings | None], Settings], template: Settings) -> Settings:
    """Load the toy world into a clone without the shipped rows, for quick cloning."""
    settings = clone(template)
    with connect(settings, "test") as connection:
        connection.execute(EMPTY)
        connection.execute(TOY.read_text().encode())
        adopt(connection, "toy")
        Toy(connection).call(
            "check_plans"
        )  # opens the months of noon: else each test would, and roll it back
    return settings


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
    toys = Toys(clone_for_test(toy_template))
    try:
        yield toys
        toys.one.assert_ledger_balances()
    finally:
        toys.close()

"""Fixtures for runs on consecutive evenings: few listings, so that each run is planned quickly."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from headgate.settings import Settings
from tests.conftest import Warm
from tests.plan import Plan


@pytest.fixture
def db(small_db: Plan) -> Plan:
    return small_db


@pytest.fixture(scope="session")
def _warm_evenings(
    clone: Callable[[Settings | None], Settings], small_template: Settings
) -> Iterator[Warm]:
    warm = Warm(clone(small_template))
    yield warm
    warm.close()


@pytest.fixture(scope="module")
def lasting_db(_warm_evenings: Warm) -> Iterator[Plan]:
    """Yield a transaction like `db` for all tests of a file, in a database of its own."""
    with _warm_evenings.frozen() as plan:
        yield plan

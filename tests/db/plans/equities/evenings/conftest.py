"""Evening after evening: with few listings each is quickly planned."""

from __future__ import annotations

import pytest

from tests.plan import Plan


@pytest.fixture
def db(small_db: Plan) -> Plan:
    return small_db

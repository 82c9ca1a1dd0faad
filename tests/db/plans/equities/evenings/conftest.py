"""Fixture for runs on consecutive evenings: few listings, so that each run is planned quickly."""

from __future__ import annotations

import pytest

from tests.plan import Plan


@pytest.fixture
def db(small_db: Plan) -> Plan:
    return small_db

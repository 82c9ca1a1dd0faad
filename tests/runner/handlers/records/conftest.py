"""A store with raw files, for handlers of records."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.plan import Plan
from tests.runner.handlers.lake import Raw


@pytest.fixture
def raw(plan: Plan, tmp_path: Path) -> Raw:
    """Create the store."""
    return Raw.of(plan, tmp_path / "lake")

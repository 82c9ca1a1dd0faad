"""One stack for all test files of a test process: it takes half a minute to start.

Its tests mostly wait, so that two processes with a stack each finish sooner than one. The last tests of
test_stack.py stop theirs.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.airflow.scene import Scene


@pytest.fixture(scope="session")
def stack(seed_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """Start the stack once; stop it at the end."""
    from tests.airflow.scene import running

    with running(tmp_path_factory.mktemp("stack"), seed_data / "postgres") as stack:
        yield stack
        print(stack.said())


@pytest.fixture(scope="session")
def codes(stack: Scene) -> list[str]:
    """Return US listings without any processed job."""
    rows = stack.rows(
        "select a.code from headgate.assets as a"
        " where a.universe = 'equities' and a.group_key = 'US'"
        " and a.asset_id not in (select asset_id from headgate.asset_processing_details)"
        " order by a.code limit 1500"
    )
    return [x["code"] for x in rows]

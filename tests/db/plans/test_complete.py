"""Each plan is complete without the others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from headgate.database import connect
from headgate.migrate.run import migrate
from headgate.settings import Settings
from tests.servers import DB, core_with

PLANS = sorted(x.name for x in (DB / "plans").iterdir())


@pytest.mark.parametrize("plan", PLANS)
def test_a_plan_is_installed_without_any_other(
    clone_for_test: Callable[[Settings | None], Settings],
    core_template: Settings,
    seed_data: Path,
    tmp_path: Path,
    plan: str,
):
    db = core_with(tmp_path / "db", seed_data / "db", plan)
    settings = replace(clone_for_test(core_template), db=db)

    migrate(settings)
    with connect(settings, "test") as connection:
        assert connection.execute("select 1 from headgate.v_pipelines").fetchall()

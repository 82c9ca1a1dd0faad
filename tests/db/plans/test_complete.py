"""Each plan is complete without the others."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from headgate.database import connect
from headgate.migrate.run import migrate
from headgate.settings import Settings
from tests.servers import DB

PLANS = sorted(x.name for x in (DB / "plans").iterdir())


@pytest.mark.parametrize("plan", PLANS)
def test_a_plan_is_installed_without_any_other(
    clone_for_test: Callable[[Settings | None], Settings],
    core_template: Settings,
    tmp_path: Path,
    plan: str,
):
    shutil.copytree(DB, tmp_path / "db")
    for other in (x for x in PLANS if x != plan):
        shutil.rmtree(tmp_path / "db" / "plans" / other)
    settings = replace(clone_for_test(core_template), db=tmp_path / "db")

    migrate(settings)
    with connect(settings, "test") as connection:
        assert connection.execute("select 1 from headgate.v_pipelines").fetchall()

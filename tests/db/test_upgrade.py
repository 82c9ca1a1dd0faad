"""Upgrading from every earlier migration ends where a fresh install begins."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from runner.database import connect
from runner.migrate import migrate
from runner.migrate_setup import install_pgmq
from runner.settings import Settings
from tests.db.test_catalogue import catalogue
from tests.servers import DB

MIGRATIONS = sorted(x.name for x in (DB / "migrations").glob("*.sql"))


@pytest.fixture(scope="module")
def with_pgmq(clone: Callable[[Settings | None], Settings]) -> Settings:
    settings = clone(None)
    with connect(settings, "test") as connection:
        install_pgmq(connection)
    return settings


@pytest.fixture(scope="module")
def folder(template: Settings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All of db/ without the shipped rows, which make no difference to the catalogue."""
    folder = tmp_path_factory.mktemp("upgrade") / "db"
    shutil.copytree(template.db, folder, ignore=shutil.ignore_patterns("data"))
    return folder


@pytest.fixture(scope="module")
def fresh(template: Settings) -> dict[str, set[str]]:
    return catalogue(template)


@pytest.mark.parametrize("newest", MIGRATIONS[:-1])
def test_an_upgrade_equals_a_fresh_install(
    clone: Callable[[Settings | None], Settings],
    with_pgmq: Settings,
    folder: Path,
    fresh: dict[str, set[str]],
    tmp_path: Path,
    newest: str,
):
    old = tmp_path / "db" / "migrations"
    old.mkdir(parents=True)
    for name in (x for x in MIGRATIONS if x <= newest):
        shutil.copy(folder / "migrations" / name, old)
    settings = replace(clone(with_pgmq), db=tmp_path / "db")

    assert migrate(settings).files == [f"migrations/{x}" for x in MIGRATIONS if x <= newest]
    report = migrate(replace(settings, db=folder))
    assert report.gone == []
    assert {x for x in report.files if x.startswith("migrations/")} == {
        f"migrations/{x}" for x in MIGRATIONS if x > newest
    }
    upgraded = catalogue(settings)
    for kind, rows in fresh.items():
        assert sorted(rows ^ upgraded[kind]) == [], kind

"""Upgrading from every earlier migration ends where a fresh install begins."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from runner.database import connect
from runner.migrate import migrate
from runner.migrate_pgmq import install_pgmq
from runner.settings import Settings
from tests.attacks.form import either
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
def until(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[Settings, str], Settings]:
    """Make a folder with the migrations up to one, and nothing else: what an old install has had."""

    def until(settings: Settings, newest: str) -> Settings:
        db = tmp_path_factory.mktemp("old") / "db"
        (db / "migrations").mkdir(parents=True)
        for name in (x for x in MIGRATIONS if x <= newest):
            shutil.copy(folder / "migrations" / name, db / "migrations")
        return replace(settings, db=db)

    return until


@pytest.fixture(scope="module")
def at_once(
    clone: Callable[[Settings | None], Settings],
    with_pgmq: Settings,
    until: Callable[[Settings, str], Settings],
) -> dict[str, set[str]]:
    """What all migrations in one run make, before anything else is applied."""
    settings = until(clone(with_pgmq), MIGRATIONS[-1])
    migrate(settings)
    return catalogue(settings)


@pytest.mark.parametrize("newest", either(MIGRATIONS[:-1:5], MIGRATIONS[:-1]))
def test_from_every_migration_the_others_lead_to_the_same_tables(
    clone_for_test: Callable[[Settings | None], Settings],
    with_pgmq: Settings,
    until: Callable[[Settings, str], Settings],
    at_once: dict[str, set[str]],
    newest: str,
):
    old = until(clone_for_test(with_pgmq), newest)
    assert migrate(old).files == [f"migrations/{x}" for x in MIGRATIONS if x <= newest]

    report = migrate(until(old, MIGRATIONS[-1]))
    assert report.gone == []
    assert report.files == [f"migrations/{x}" for x in MIGRATIONS if x > newest]
    assert differences(at_once, catalogue(old)) == {}


@pytest.mark.parametrize(
    "runs", [MIGRATIONS[:1], MIGRATIONS[:-1]], ids=["in one run", "one by one"]
)
def test_an_upgrade_equals_a_fresh_install(
    clone_for_test: Callable[[Settings | None], Settings],
    with_pgmq: Settings,
    until: Callable[[Settings, str], Settings],
    folder: Path,
    template: Settings,
    runs: list[str],
):
    """What follows the migrations finds the same tables after each of them: two ways are enough."""
    settings = clone_for_test(with_pgmq)
    for newest in runs:
        migrate(until(settings, newest))

    assert migrate(replace(settings, db=folder)).gone == []
    assert differences(catalogue(template), catalogue(settings)) == {}


def differences(one: dict[str, set[str]], other: dict[str, set[str]]) -> dict[str, list[str]]:
    found = {kind: sorted(rows ^ other[kind]) for kind, rows in one.items()}
    return {kind: rows for kind, rows in found.items() if rows}

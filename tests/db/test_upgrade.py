"""Upgrading a released database keeps its rows, and gives the same catalogue as a fresh install."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from headgate.database import connect
from headgate.migrate.pgmq import install_pgmq
from headgate.migrate.run import Report, migrate
from headgate.settings import Settings
from tests.db.test_catalogue import OURS, catalogue

RELEASED = {"migrations": 21, "plans/equities/migrations": 9, "plans/maintenance/migrations": 1}
"""The number of the last migration of 0.1.0 in each folder; later ones follow it."""
ADDED = {
    "migrations": """
        alter table headgate.assets add column note text not null default 'none';
        comment on column headgate.assets.note is 'What somebody noted.';
        create index assets_note_idx on headgate.assets (note);
        comment on index headgate.assets_note_idx is 'Finds notes.';
    """,
    "plans/equities/migrations": """
        create table equities.notes (asset_id bigint not null, note text not null);
        comment on table equities.notes is 'Notes.';
        insert into equities.notes select l.asset_id, l.code from equities.listings as l;
        comment on column equities.notes.asset_id is 'The listing.';
        comment on column equities.notes.note is 'What somebody noted.';
    """,
}
AGAIN = {"roles", "views", "grants", "limits"}
"""Kinds of files applied again after a migration, which may have dropped a view by cascade."""
MIGRATES_OWN = {"headgate.schema_files", "headgate.schema_notes"}
"""Tables whose rows record what was applied."""


@pytest.fixture(scope="module")
def with_pgmq(clone: Callable[[Settings | None], Settings]) -> Settings:
    settings = clone(None)
    with connect(settings, "test") as connection:
        install_pgmq(connection)
    return settings


@pytest.fixture(scope="module")
def with_added(
    template: Settings, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, list[str]]:
    """All of db/, plus the next migration of the core and of a plan."""
    db = tmp_path_factory.mktemp("more") / "db"
    shutil.copytree(template.db, db)
    added = []
    for folder, text in ADDED.items():
        number = 1 + max(number_of(x) for x in migrations(db) if x.startswith(f"{folder}/"))
        added.append(f"{folder}/{number:04}_notes.sql")
        (db / added[-1]).write_text(text)
    return db, added


@dataclass(frozen=True)
class Upgraded:
    """A database after the added migrations, the report of that, and its rows before."""

    settings: Settings
    report: Report
    before: dict[str, list[str]]


@pytest.fixture(scope="module")
def upgraded(
    clone: Callable[[Settings | None], Settings],
    small_template: Settings,
    with_added: tuple[Path, list[str]],
) -> Upgraded:
    """A database with everything shipped, a run that has planned its work, and an order; then upgraded."""
    in_use = clone(small_template)
    with connect(in_use, "test") as connection:
        connection.execute("select headgate.start_execution('data_collection_equities', 'one')")
        connection.execute("select headgate.check_quota('data_collection_equities', 'one')")
        connection.execute("select headgate.trigger_pipeline('data_collection_equities')")
    before = rows(in_use)
    settings = replace(in_use, db=with_added[0])
    return Upgraded(settings, migrate(settings), before)


def test_the_released_migrations_are_there(template: Settings):
    there = migrations(template.db)

    for folder, last in RELEASED.items():
        numbers = [number_of(x) for x in there if x.rpartition("/")[0] == folder]
        assert numbers[:last] == list(range(1, last + 1))


def test_from_what_was_released_the_others_lead_to_a_fresh_install(
    clone_for_test: Callable[[Settings | None], Settings],
    with_pgmq: Settings,
    template: Settings,
    tmp_path: Path,
):
    """Only the migrations of the old version exist: everything else is replaced."""
    there = migrations(template.db)
    released = [x for x in there if number_of(x) <= RELEASED.get(x.rpartition("/")[0], 0)]
    for path in (*released, "roles/010_roles.sql"):
        (tmp_path / "old" / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(template.db / path, tmp_path / "old" / path)
    settings = replace(clone_for_test(with_pgmq), db=tmp_path / "old")
    assert migrate(settings).files == ["roles/010_roles.sql", *released]

    report = migrate(replace(settings, db=without_rows(template.db, tmp_path)))

    assert report.gone == []
    others = [x for x in there if x not in released]
    assert [x for x in report.files if "migrations/" in x] == others
    assert differences(catalogue(template), catalogue(settings)) == {}


def test_a_migration_that_is_added_runs_alone_and_leaves_all_rows_as_they_are(
    upgraded: Upgraded, with_added: tuple[Path, list[str]]
):
    _, added = with_added
    before, report = upgraded.before, upgraded.report
    assert before["headgate.chunks"] and before["headgate.orders"]

    after = rows(upgraded.settings)
    listings = len(after.pop("equities.notes"))
    assert report.gone == []
    assert [x for x in report.files if not AGAIN & {*x.split("/")}] == added
    assert after == before
    assert listings == len(before["equities.listings"])
    assert migrate(upgraded.settings).files == []


def test_an_upgrade_equals_a_fresh_install(
    upgraded: Upgraded,
    clone_for_test: Callable[[Settings | None], Settings],
    with_pgmq: Settings,
    with_added: tuple[Path, list[str]],
    tmp_path: Path,
):
    db, _ = with_added
    fresh = replace(clone_for_test(with_pgmq), db=without_rows(db, tmp_path))

    migrate(fresh)

    assert differences(catalogue(fresh), catalogue(upgraded.settings)) == {}


def migrations(db: Path) -> list[str]:
    """Return the paths of all migrations in the order of application."""
    found = (*sorted(db.glob("migrations/*.sql")), *sorted(db.glob("plans/*/migrations/*.sql")))
    return [str(x.relative_to(db)) for x in found]


def number_of(path: str) -> int:
    return int(path.rpartition("/")[2][:4])


def without_rows(db: Path, to: Path) -> Path:
    """Copy db/ without the shipped rows, which do not affect the catalogue."""
    shutil.copytree(db, to / "without" / "db", ignore=shutil.ignore_patterns("data"))
    return to / "without" / "db"


def rows(settings: Settings) -> dict[str, list[str]]:
    """Return the rows of all our tables, without the column that was added to one."""
    tables = (
        "select c.oid::regclass::text as name from pg_class as c join pg_namespace as n"
        f" on n.oid = c.relnamespace where c.relkind in ('r', 'p') and not c.relispartition and ({OURS})"
    )
    found = {}
    with connect(settings, "test") as connection:
        for table in connection.execute(tables.replace("%%", "%").encode()).fetchall():
            if table["name"] in MIGRATES_OWN:
                continue
            query = f"select (to_jsonb(t) - 'note')::text as line from {table['name']} as t order by line"
            found[table["name"]] = [x["line"] for x in connection.execute(query.encode())]
    return found


def differences(one: dict[str, set[str]], other: dict[str, set[str]]) -> dict[str, list[str]]:
    found = {kind: sorted(rows ^ other[kind]) for kind, rows in one.items()}
    return {kind: rows for kind, rows in found.items() if rows}

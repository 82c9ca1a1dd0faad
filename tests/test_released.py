"""Migrations of released versions are never edited, moved or deleted."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.docs import ROOT
from tests.released import LIST, broken, freeze, hashes, versions

FIRST, SECOND = "migrations/0001_roles.sql", "plans/fruit/migrations/0001_bowls.sql"


@pytest.fixture
def db(tmp_path: Path) -> Path:
    """Make a folder like db/ with a migration of the core and one of a plan, of which none is released."""
    for path in (FIRST, SECOND):
        (tmp_path / path).parent.mkdir(parents=True)
        (tmp_path / path).write_text(f"-- {path}\n")
    (tmp_path / LIST).touch()
    return tmp_path


def test_no_released_migration_has_changed():
    assert broken() == []


def test_exactly_the_versions_that_have_a_date_are_frozen():
    changelog = (ROOT / "CHANGELOG.md").read_text()

    dated = re.findall(r"^## \[(\d+\.\d+\.\d+)\] - \d{4}-\d\d-\d\d$", changelog, re.MULTILINE)
    assert sorted(dated) == sorted(versions())


def test_before_the_first_release_all_may_change(db):
    (db / FIRST).write_text("-- edited\n")

    assert (versions(db), broken(db)) == ({}, [])


def test_a_release_freezes_all_that_is_there(db):
    assert freeze("0.1.0", db) == [FIRST, SECOND]

    assert versions(db) == {"0.1.0": hashes(db)}
    assert broken(db) == []


def test_coreutils_reads_the_list(db):
    if shutil.which("sha256sum") is None:
        pytest.skip("sha256sum is not installed")
    freeze("0.1.0", db)

    check = ["sha256sum", "--check", "--strict", "--quiet", LIST]
    assert subprocess.run(check, cwd=db, check=False).returncode == 0
    (db / FIRST).write_text("-- edited\n")
    assert subprocess.run(check, cwd=db, check=False, capture_output=True).returncode == 1


def test_a_released_migration_that_is_edited_moved_or_deleted_is_named(db):
    freeze("0.1.0", db)
    (db / FIRST).write_text((db / FIRST).read_text() + "\n")
    (db / SECOND).rename(db / SECOND.replace("bowls", "plates"))

    assert broken(db) == [f"{FIRST} of 0.1.0 was edited", f"{SECOND} of 0.1.0 is gone"]
    with pytest.raises(ValueError, match=r"0001_roles\.sql of 0\.1\.0 was edited; .* is gone"):
        freeze("0.2.0", db)
    assert list(versions(db)) == ["0.1.0"]


def test_the_next_release_freezes_what_is_new_and_only_once(db):
    freeze("0.1.0", db)
    new = "migrations/0002_notes.sql"
    (db / new).write_text("-- new\n")
    assert broken(db) == []

    assert freeze("0.2.0", db) == [new]
    with pytest.raises(ValueError, match=r"0\.2\.0 is frozen already"):
        freeze("0.2.0", db)
    (db / new).unlink()
    assert broken(db) == [f"{new} of 0.2.0 is gone"]


def test_a_list_that_is_damaged_is_refused(db):
    (db / LIST).write_text("migrations/0001_roles.sql\n")

    with pytest.raises(ValueError, match="no version and no migration"):
        broken(db)

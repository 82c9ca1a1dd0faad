"""The files of db/ and plans in the order of their application, and the pending ones of them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from headgate.errors import DatabaseNewer, MigrateError, MigrationEdited, MigrationNumbering

OWNER = "headgate_owner"
OF_THE_SERVER = ("role", "limit")
"""Kinds of files about roles, which belong to the server."""
NUMBERED = re.compile(r"(\d{4})_[a-z0-9_]+\.sql")
PLAN = re.compile(r"[a-z][a-z0-9_]*")
PARTS = ("plan.sql", "migrations", "functions", "views", "data")
"""A plan's folder has at least one of these."""
HEADER = re.compile(r"^-- (role|transactional): *(\w+) *$")


@dataclass(frozen=True, slots=True)
class File:
    """A file of db/, or of a plan in another folder."""

    path: str
    """Path relative to db/; of a plan always plans/<plan>/..., wherever its folder is."""
    kind: str
    plan: str | None
    body: bytes = field(repr=False)
    place: str = ""
    """Path as shown to people and their editors."""

    @property
    def sha256(self) -> str:
        """Return the hash that reveals a change."""
        return hashlib.sha256(self.body).hexdigest()

    @property
    def text(self) -> str:
        """Return the SQL."""
        return self.body.decode()

    @property
    def is_stateless(self) -> bool:
        """Return whether the file is re-applied in place: a function or a view."""
        return self.kind in ("function", "view")

    @property
    def name(self) -> str:
        """Return the name of the function or view: `010_v_quota.sql` gives v_quota."""
        return re.sub(r"^\d+_", "", Path(self.path).name.partition(".")[0])

    @property
    def is_private(self) -> bool:
        """Return whether it is a function file of helpers only."""
        return self.kind == "function" and self.name.startswith("_")

    @property
    def is_transactional(self) -> bool:
        """Return whether the file may share a transaction with others.

        Files about roles may not: roles belong to the server, and the migration of another database
        must not wait for them.
        """
        if self.kind in ("data", *OF_THE_SERVER):
            return self.kind == "data"
        return self._headers().get("transactional") != "false"

    @property
    def role(self) -> str | None:
        """Return the role that applies the file; None: the connecting user."""
        if self.kind in OF_THE_SERVER or (
            self.kind != "data" and self._headers().get("role") == "migrator"
        ):
            return None
        if self.plan is not None and (self.kind == "migration" or self.is_stateless):
            return role_of(self.plan)
        return OWNER

    def _headers(self) -> dict[str, str]:
        """Return the keys and values of the leading comment lines `-- key: value`."""
        found = {}
        for line in self.text.splitlines():
            if not line.startswith("--"):
                break
            if match := HEADER.match(line):
                found[match[1]] = match[2]
        return found


def role_of(plan: str) -> str:
    """Return the role that owns a plan's schema."""
    return f"headgate_plan_{plan}"


def file_at(path: str) -> File:
    """Return a File for a path of the ledger, without its body."""
    parts = path.split("/")
    plan = parts[1] if parts[0] == "plans" and len(parts) > 2 else None
    folder = parts[2] if plan is not None else parts[0]
    is_load = folder == "data" and path.endswith(".sql")
    kind = "load" if is_load else folder.partition(".")[0].removesuffix("s")
    return File(path, kind, plan, b"")


def plan_folders(db: Path, plans: Sequence[Path] = ()) -> dict[str, Path]:
    """Return the folder of each plan, from `plans` or else from db/plans.

    Each of the folders `plans` is a plan or holds plans. Raises MigrateError for a missing folder,
    an invalid name, or two plans of one name.
    """
    found: dict[str, Path] = {}
    for folder in plans or [db / "plans"]:
        if plans and not folder.is_dir():
            raise MigrateError(
                f"there is no folder {folder}", hint="HEADGATE_PLANS names folders of plans"
            )
        for root in [folder] if is_plan(folder) else sorted(filter(is_plan, folder.glob("*"))):
            if not PLAN.fullmatch(root.name):
                raise MigrateError(
                    f"plans/{root.name}: a plan's folder is named in small letters, a-z0-9_",
                    hint="rename the folder",
                )
            if found.setdefault(root.name, root) != root:
                raise MigrateError(
                    f"two plans are named {root.name}: {found[root.name]} and {root}",
                    hint="rename one, or leave its folder out of HEADGATE_PLANS",
                )
    return dict(sorted(found.items()))


def is_plan(folder: Path) -> bool:
    """Return whether a folder is a plan: it contains one of PARTS."""
    return folder.is_dir() and any((folder / x).exists() for x in PARTS)


def read_folder(db: Path, plans: Sequence[Path] = ()) -> list[File]:
    """Return all files in the order of their application, from roles to limits."""
    if not (db / "migrations").is_dir():
        raise MigrateError(f"{db} has no folder `migrations`", hint="HEADGATE_DB names the folder")
    roots = [_Root(None, db, db), *(_Root(*x, db) for x in plan_folders(db, plans).items())]

    def find(kind: str, pattern: str, of: Sequence[_Root] = roots) -> list[File]:
        return [file for root in of for file in root.files(kind, pattern)]

    core, of_plans = roots[:1], roots[1:]
    migrations = find("migration", "migrations/*.sql")
    _check_numbers(migrations)
    return [
        *find("role", "roles/*.sql", core),
        *migrations,
        *find("function", "functions/**/*.sql"),
        *find("view", "views/*.sql"),
        *find("data", "data/*.csv.gz"),
        # Each plan's declarations, then its scripts that take over data.
        *(
            file
            for root in of_plans
            for kind, pattern in (("plan", "plan.sql"), ("load", "data/*.sql"))
            for file in root.files(kind, pattern)
        ),
        *find("grant", "grants/*.sql"),
        *find("limit", "limits/*.sql", core),
    ]


class _Root(NamedTuple):
    """The folder of the core or of a plan."""

    plan: str | None
    folder: Path
    db: Path

    def files(self, kind: str, pattern: str) -> Iterator[File]:
        prefix = f"plans/{self.plan}/" if self.plan else ""
        for path in sorted(self.folder.glob(pattern)):
            name = prefix + str(path.relative_to(self.folder))
            yield File(name, kind, self.plan, path.read_bytes(), self._shown(path))

    def _shown(self, path: Path) -> str:
        if path.is_relative_to(self.db):
            return f"{self.db.name}/{path.relative_to(self.db)}"
        return str(path.relative_to(here) if path.is_relative_to(here := Path.cwd()) else path)


def pending_files(files: list[File], applied: Mapping[str, str]) -> list[File]:
    """Return the files to apply, given the hashes of applied files by path.

    Raises MigrationEdited, MigrationNumbering or DatabaseNewer.
    """
    _check_frozen(files, applied)
    changed = {x.path for x in files if applied.get(x.path) != x.sha256}

    def kinds(*names: str) -> bool:
        return any(x.path in changed and x.kind in names for x in files)

    rebuild_views = kinds("migration", "view")  # a migration may drop views by cascade
    grant_again = rebuild_views or kinds(*OF_THE_SERVER, "function", "grant")
    reload_plans = {x.plan for x in files if x.path in changed and x.kind == "data"}

    def is_pending(file: File) -> bool:
        return (
            file.path in changed
            or (file.kind == "view" and rebuild_views)
            or (file.kind == "load" and file.plan in reload_plans)
            or (file.kind in (*OF_THE_SERVER, "grant") and grant_again)
        )

    return [x for x in files if is_pending(x)]


def _check_numbers(migrations: list[File]) -> None:
    """Raise MigrationNumbering for a gap, a duplicate or an unnumbered name in a folder."""
    expected: dict[str | None, int] = {}
    for file in migrations:
        match = NUMBERED.fullmatch(Path(file.path).name)
        if match is None:
            raise MigrationNumbering(
                f"{file.path}: not named like 0001_what_it_does.sql", hint="rename the file"
            )
        number, due = int(match[1]), expected.get(file.plan, 0) + 1
        if number != due:
            what = "is used twice" if number < due else f"comes before {due:04d} exists"
            raise MigrationNumbering(
                f"{file.path}: number {number:04d} {what}", hint=f"the next number is {due:04d}"
            )
        expected[file.plan] = due


def _check_frozen(files: list[File], applied: Mapping[str, str]) -> None:
    """Raise if an applied migration was edited or is gone, or a new one precedes an applied one."""
    for file in (x for x in files if x.kind == "migration"):
        known = applied.get(file.path)
        if known is not None and known != file.sha256:
            raise MigrationEdited(f"{file.path} was edited after it had been applied")
        if known is None and (other := _in_its_place(file, files, applied)):
            raise MigrationNumbering(
                f"{file.path} stands where {other} was applied: "
                "this database was made by another set of migrations",
                hint="go on with the version that made it, or make another database "
                "(HEADGATE_DATABASE); what an embedded server holds goes with `headgate down` "
                "and its folder .headgate",
            )
        later = [x for x in _migrations_after(file, files) if x in applied]
        if known is None and later:
            raise MigrationNumbering(
                f"{file.path} is new, but {later[0]} was applied before it",
                hint="give the new migration the next free number",
            )
    kept, plans = {x.path for x in files}, {None, *(x.plan for x in files)}
    for path in sorted(applied.keys() - kept):
        file = file_at(path)
        if file.kind == "migration" and file.plan in plans:
            raise DatabaseNewer(f"{path} was applied to this database, and this version lacks it")


def _in_its_place(file: File, files: list[File], applied: Mapping[str, str]) -> str | None:
    """Return the applied migration of the same number that is no longer among the files."""
    path = Path(file.path)
    beside = {x for x in applied if Path(x).parent == path.parent} - {x.path for x in files}
    return next((x for x in sorted(beside) if Path(x).name[:4] == path.name[:4]), None)


def _migrations_after(file: File, files: list[File]) -> Iterator[str]:
    for other in files:
        if other.kind == "migration" and other.plan == file.plan and other.path > file.path:
            yield other.path

"""Dry run of a plan's files: applies them, collects changes and mistakes, and rolls back."""

from __future__ import annotations

import difflib
import re
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, LiteralString

from psycopg import Connection
from psycopg.rows import DictRow

from headgate.database import connect
from headgate.errors import HeadgateError, InvalidValue, MigrationFailed, NotMigrated, WrongPlan
from headgate.migrate.declare import RESULTS, Declared
from headgate.migrate.files import File, pending_files, plan_folders, read_folder
from headgate.migrate.functions import names_of
from headgate.migrate.ledger import applied_files
from headgate.migrate.run import Run
from headgate.migrate.setup import prepare_roles, set_locally
from headgate.settings import Settings

DECLARED: LiteralString = "select * from headgate.declared_objects(p_plan => %s)"
PLACED: Final = re.compile(r"(?P<place>\S+:\d+): (?P<what>.*)", re.DOTALL)
HINT: Final = "    hint: "
FRAME: Final = "a plan's file begins with headgate.begin_plan and ends with headgate.end_plan"
PLAN_IS: Final = "a plan is a folder with a file plan.sql"
AT_ONCE: Final = ("migration", "function", "view", "data", "plan", "load")
"""Kinds of a plan's files, in the order in which they are applied."""
ONLY_CHANGED: Final = ("migration", "data", "load")
"""Kinds of these that are applied only if the file has changed."""


@dataclass(frozen=True, slots=True)
class Mistake:
    """A mistake: its place, the message and a hint."""

    place: str | None
    message: str
    hint: str | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """What would happen to an object: created, changed (with the details) or retired."""

    change: str
    object: str
    what: str | None = None
    place: str | None = None


@dataclass(slots=True)
class Checked:
    """Result of checking a plan's files."""

    plan: str
    files: list[str] = field(default_factory=list)
    """Files that `migrate` would apply."""
    changes: list[Change] = field(default_factory=list)
    unchanged: int = 0
    """Number of declared objects that would not change."""
    mistakes: list[Mistake] = field(default_factory=list)


def check_plans(settings: Settings, plan: str | None = None) -> list[Checked]:
    """Check one plan or all without changing the database. Raises NotMigrated, InvalidValue."""
    if plan is not None:
        settings, plan = _named(settings, plan)
    files = read_folder(settings.db, settings.plans)
    with connect(settings, "check") as connection:
        applied = applied_files(connection)
        pending = pending_files(files, applied)
        lacking = [x.place for x in pending if x.plan is None and x.path not in applied]
        if not applied or lacking:
            raise NotMigrated(f"database {settings.database} lacks {(lacking or ['the core'])[0]}")
        names = [plan] if plan else sorted({x.plan for x in files if x.plan})
        if not names:
            where = " and ".join(map(str, settings.plans or [settings.db / "plans"]))
            raise InvalidValue(f"there is no plan in {where}", hint=PLAN_IS)
        run = Run(connection, settings, names_of(files))
        return [_Check(connection, run, x, files, applied).made() for x in names]


def _named(settings: Settings, plan: str) -> tuple[Settings, str]:
    """Return settings and name of a plan that is given by name or folder. Raises InvalidValue."""
    folder = Path(plan).expanduser().resolve()
    if "/" in plan and folder.is_dir():
        found = folder.name
        if list(plan_folders(settings.db, [folder]).values()) != [folder]:
            raise InvalidValue(f"{plan} is not a plan's folder", hint=PLAN_IS)
        return replace(settings, plans=(folder,)), found
    known = plan_folders(settings.db, settings.plans)
    if plan not in known:
        near = difflib.get_close_matches(plan, known, 1)
        meant = f"did you mean {near[0]}? " if near else ""
        raise InvalidValue(
            f"there is no plan {plan!r}",
            hint=f"{meant}plans: {', '.join(known) or 'none'}; HEADGATE_PLANS names their folders",
        )
    return settings, plan


class _Check:
    """Check of one plan, in one transaction that is rolled back."""

    def __init__(
        self,
        connection: Connection[DictRow],
        run: Run,
        plan: str,
        files: list[File],
        applied: dict[str, str],
    ) -> None:
        self._connection = connection
        self._run = run
        self._files = sorted(
            (x for x in files if x.plan == plan), key=lambda x: AT_ONCE.index(x.kind)
        )
        self._pending = {x.path for x in self._files if applied.get(x.path) != x.sha256}
        self._found = Checked(plan, [x.place for x in self._files if x.path in self._pending])

    def made(self) -> Checked:
        """Apply the files, record changes and mistakes, and roll back."""
        plan = self._found.plan
        with self._run.transaction(is_undone=True):
            prepare_roles(self._connection, [plan])
            with suppress(MigrationFailed):  # already noted; later errors would only follow from it
                for file in self._of("migration"):
                    self._apply(file, is_last=True)
                for kind in ("function", "view"):
                    for file in self._of(kind):
                        self._apply(file)
                self._look_into_functions()
                for kind in ("data", "plan", "load"):
                    for file in self._of(kind):
                        self._apply(file)
                if not self._found.mistakes:
                    self._judge_all()
        return self._found

    def _of(self, kind: str) -> Iterator[File]:
        for file in self._files:
            if file.kind == kind and (kind not in ONLY_CHANGED or file.path in self._pending):
                yield file

    def _apply(self, file: File, *, is_last: bool = False) -> None:
        if not file.is_transactional:
            what = "it runs outside of a transaction and was not tried"
            self._found.changes.append(Change("not checked", file.place, what))
            return
        try:
            with self._connection.transaction():
                declared = self._run.execute(file)
        except HeadgateError as exc:
            self._note(exc)
            if is_last:
                raise MigrationFailed from exc
            return
        if file.kind == "plan" and not declared:
            self._found.mistakes.append(Mistake(file.place, "it declares nothing", FRAME))
        elif file.kind == "plan":
            self._note_changes(declared)

    def _note(self, exc: HeadgateError) -> None:
        self._found.mistakes += (x for x in mistakes_of(exc) if x not in self._found.mistakes)

    def _note_changes(self, declared: list[Declared]) -> None:
        """Match the results of the statements with the objects declared at their places."""
        results: dict[str, list[str]] = defaultdict(list)
        for place, result in declared:
            results[place].append(result)
        changes = self._found.changes
        for row in self._connection.execute(DECLARED, (self._found.plan,)).fetchall():
            of_place = results.get(row["place"])
            change, _, what = (of_place.pop(0) if of_place else "").partition(": ")
            if change in ("created", "changed"):
                changes.append(Change(change, row["object"], what or None, row["place"]))
            else:
                self._found.unchanged += 1
        for place, result in declared:
            change, _, what = result.partition(": ")
            if change == RESULTS[-1]:
                changes += [Change(change, x, None, place) for x in what.split("; ")]

    def _look_into_functions(self) -> None:
        """Create the functions again, now that all exist, so that their bodies are checked too."""
        set_locally(self._connection, {"check_function_bodies": "on"})
        for file in self._of("function"):
            self._apply(file)
        set_locally(self._connection, {"check_function_bodies": "off"})

    def _judge_all(self) -> None:
        try:
            with self._connection.transaction():
                self._run.call_owners("headgate.check_plans")
        except HeadgateError as exc:
            self._note(exc)


def mistakes_of(exc: HeadgateError) -> list[Mistake]:
    """Return the mistakes that an error lists, or the error itself as one mistake."""
    if not isinstance(exc, WrongPlan) or "\n" not in str(exc):
        return [_mistake(str(exc), exc.hint)]
    found: list[Mistake] = []
    for line in str(exc).splitlines()[1:]:
        if line.startswith(HINT) and found:
            last = found.pop()
            found.append(Mistake(last.place, last.message, line.removeprefix(HINT)))
        else:
            found.append(_mistake(line, None))
    return found


def _mistake(text: str, hint: str | None) -> Mistake:
    placed = PLACED.fullmatch(text)
    return Mistake(placed["place"], placed["what"], hint) if placed else Mistake(None, text, hint)

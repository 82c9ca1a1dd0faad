"""Scaffold of a new plan, written from this package's files whole or not at all."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from headgate.errors import HeadgateError, InvalidValue
from headgate.files import replacing
from headgate.migrate import PLAN, plan_folders
from headgate.settings import PACKAGE, Settings, shipped

HERE: Final = Path(__file__).resolve().parent
LONGEST_NAME: Final = 40
"""Maximum characters of a plan's name: it becomes part of a role name, which has at most 63."""
OURS: Final = ("headgate", "pgmq", "public", "local", "airflow", "information_schema")
RESERVED: Final = frozenset(
    """
    all analyse analyze and any array as asc asymmetric authorization binary both case cast check
    collate collation column concurrently constraint create cross current_catalog current_date
    current_role current_schema current_time current_timestamp current_user default deferrable desc
    distinct do else end except false fetch for foreign freeze from full grant group having ilike in
    initially inner intersect into is isnull join lateral leading left like limit localtime
    localtimestamp natural not notnull null offset on only or order outer overlaps placing primary
    references returning right select session_user similar some symmetric system_user table
    tablesample then to trailing true union unique user using variadic verbose when where window
    with
    """.split()
)
"""PostgreSQL's reserved words, which cannot name a schema without quotes."""


@dataclass(frozen=True, slots=True)
class Scaffold:
    """The plan to write, and its places."""

    plan: str
    folder: Path
    dag: Path | None
    base_url: str

    def write(self) -> list[Path]:
        """Write all files and return their paths.

        Raises HeadgateError, with nothing written, if one exists or cannot be written.
        """
        for path in (self.folder, *([self.dag] if self.dag else [])):
            if path.exists() or path.is_symlink():
                raise HeadgateError(
                    f"{path} is there already: nothing was written",
                    hint="choose another name, or remove it",
                )
        draft: Path | None = None
        try:
            for parent in (self.folder.parent, *([self.dag.parent] if self.dag else [])):
                parent.mkdir(parents=True, exist_ok=True)
            draft = Path(tempfile.mkdtemp(prefix=f".{self.plan}.", dir=self.folder.parent))
            made = [self._copy(x, draft) for x in sorted(HERE.glob("plan/**/*")) if x.is_file()]
            draft.chmod(0o755)
            if self.dag is not None:
                with replacing(self.dag, is_shared=True, is_new=True) as file:
                    file.write(self._filled(HERE / "dag.txt").encode())
            try:
                draft.rename(self.folder)
            except OSError:
                if self.dag is not None:
                    self.dag.unlink()
                raise
        except OSError as exc:
            raise HeadgateError(
                f"cannot write {exc.filename or self.folder}: {exc.strerror}; nothing was written",
                hint="--plans and --dags name folders that may be written to",
            ) from exc
        finally:
            if draft is not None:
                shutil.rmtree(draft, ignore_errors=True)
        return [*(self.folder / x for x in made), *([self.dag] if self.dag else [])]

    def _copy(self, source: Path, draft: Path) -> Path:
        path = source.relative_to(HERE / "plan")
        (draft / path).parent.mkdir(parents=True, exist_ok=True)
        (draft / path).write_text(self._filled(source))
        return path

    def _filled(self, source: Path) -> str:
        text = source.read_text().replace("__plan__", self.plan)
        return text.replace("__base_url__", self.base_url)


def scaffold(
    settings: Settings, name: str, *, plans: Path | None, dags: Path | None, base_url: str
) -> Scaffold:
    """Return the scaffold of a new plan. Raises InvalidValue for its name or address."""
    _check_name(name)
    if not re.fullmatch(r"https?://[^\s'/]+(/[^\s']*)?", base_url):
        raise InvalidValue(
            f"{base_url!r} is not the address of a service", hint="e.g. https://api.example.com/v1"
        )
    known = plan_folders(settings.db, settings.plans)
    if name in known:
        raise InvalidValue(
            f"there is a plan {name} already, in {known[name]}", hint="choose another name"
        )
    folder = plans or _usual_folder(settings, known)
    dag_folder = dags or settings.dags
    if dags is None and dag_folder == shipped("dags") and not _is_shipped(settings, folder):
        dag_folder = None  # the shipped folder is for plans beside the shipped ones
    return Scaffold(
        name, folder / name, dag_folder / f"{name}.py" if dag_folder else None, base_url
    )


def _is_shipped(settings: Settings, folder: Path) -> bool:
    """Return whether a plan's folder is one for shipped plans, of a checkout."""
    plans = shipped("db") / "plans"
    return settings.db / "plans" == plans == folder.resolve() and PACKAGE not in plans.parents


def _check_name(name: str) -> None:
    better = re.sub(r"[^a-z0-9_]+", "_", name.lower()).strip("_").lstrip("0123456789_")
    if not PLAN.fullmatch(name):
        meant = f"did you mean {better}? " if PLAN.fullmatch(better) else ""
        raise InvalidValue(
            f"a plan cannot be named {name!r}",
            hint=f"{meant}a plan's name is its schema: small letters, digits and _, a letter first",
        )
    if len(name) > LONGEST_NAME:
        raise InvalidValue(
            f"a plan's name has at most {LONGEST_NAME} characters, this one {len(name)}",
            hint="it becomes part of a role's name: choose a shorter one",
        )
    if name in RESERVED or name in OURS or name.startswith(("pg_", "headgate_")):
        whose = "a reserved word of SQL" if name in RESERVED else "taken by PostgreSQL or Headgate"
        raise InvalidValue(
            f"a plan cannot be named {name}: that is {whose}",
            hint=f"choose another name, for example my_{name}",
        )


def _usual_folder(settings: Settings, known: dict[str, Path]) -> Path:
    """Return the first folder that holds plans, or ./plans if the package's is not usable."""
    holders = [x for x in settings.plans if x not in known.values()]
    if holders:
        return holders[0]
    usual = settings.db / "plans"
    return usual if os.access(usual, os.W_OK) and PACKAGE not in usual.parents else Path("plans")

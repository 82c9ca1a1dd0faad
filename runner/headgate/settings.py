"""Settings from environment variables, read once."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict

from headgate.conninfo import effective, without_service
from headgate.errors import InvalidValue

DATABASE = "headgate"
PACKAGE = Path(__file__).resolve().parent
CHECKOUT = PACKAGE.parents[1]
SECRETS: Final = "HEADGATE_SECRETS"
CERTIFICATES: Final = "SSL_CERT_FILE"
NOT_THERE: Final = "mount or create it, or unset the variable"
UNITS: Final = {"kb": 1024, "mb": 1024**2, "gb": 1024**3}
DEFAULT_BUFFER: Final = 256 * UNITS["mb"]
SMALLEST_BUFFER: Final = UNITS["mb"]


@dataclass(frozen=True, slots=True)
class Settings:
    """Locations of the database and of Headgate's own files, and limits."""

    dsn: str | None
    """Connection string of the user's server; None: the embedded server is used."""
    database: str
    home: Path
    """Folder of the embedded server: its data, its log and the passwords of its roles."""
    db: Path
    """Folder of the SQL: migrations, functions, views, grants, plans."""
    lock_timeout: str = "5s"
    """How long `migrate` waits for a table that another session has locked."""
    max_buffer: int = DEFAULT_BUFFER
    """Maximum bytes of answers that one worker holds in memory."""
    listen_dsn: str | None = None
    """Direct connection string of the server if `dsn` names a pooler: runners listen there."""
    plans: tuple[Path, ...] = ()
    """Folders that hold plans or are one plan; empty: the plans of `db`."""
    dags: Path | None = None
    """Folder of the DAGs, where `migrate` writes their parameters; None: nothing is written."""
    health: Path | None = None
    """Folder where a worker keeps its files `alive` and `ready`; None: it keeps none."""

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> Settings:
        """Read the HEADGATE_* variables; raises InvalidValue for a malformed one.

        The names after the prefix are DSN, LISTEN_DSN, DATABASE, HOME, DB, PLANS, DAGS, HEALTH,
        LOCK_TIMEOUT and MAX_BUFFER.
        """
        env = os.environ if environ is None else environ
        _require_there(env)
        dsn = _dsn(env, "HEADGATE_DSN")
        buffer = env.get("HEADGATE_MAX_BUFFER")
        return cls(
            dsn=dsn,
            database=env.get("HEADGATE_DATABASE") or _database_of(dsn),
            home=_absolute(env.get("HEADGATE_HOME")) or _root() / ".headgate",
            db=_absolute(env.get("HEADGATE_DB")) or shipped("db"),
            lock_timeout=_duration(env, "HEADGATE_LOCK_TIMEOUT") or "5s",
            max_buffer=bytes_of(buffer) if buffer else DEFAULT_BUFFER,
            listen_dsn=_dsn(env, "HEADGATE_LISTEN_DSN"),
            plans=tuple(_folders(env.get("HEADGATE_PLANS"))),
            dags=_absolute(env.get("HEADGATE_DAGS")) or _dags_folder(env),
            health=_absolute(env.get("HEADGATE_HEALTH")),
        )

    def with_database(self, database: str) -> Settings:
        """Return the same settings for another database of the server."""
        return replace(self, database=database)


def bytes_of(size: str) -> int:
    """Return the bytes of a size in PostgreSQL's notation, such as 256MB.

    Raises InvalidValue for other notations and for less than 1 MB.
    """
    found = re.fullmatch(r"([0-9]{1,9})\s*(kB|MB|GB)", size.strip(), re.IGNORECASE)
    count = int(found[1]) * UNITS[found[2].lower()] if found else 0
    if count < SMALLEST_BUFFER:
        raise InvalidValue(
            f"{size!r} is not a size of a buffer", hint="a number and its unit, from 1MB on: 256MB"
        )
    return count


def _duration(env: Mapping[str, str], name: str) -> str | None:
    """Return a time in PostgreSQL's notation, such as 5s. Raises InvalidValue for another."""
    text = (env.get(name) or "").strip()
    if text and not re.fullmatch(r"[0-9]{1,9}\s*(ms|s|min|h)?", text):
        raise InvalidValue(
            f"{name} is {text!r}, which is not a time",
            hint="a number and its unit: 5s, 500ms or 1min",
        )
    return text or None


def _require_there(env: Mapping[str, str]) -> None:
    """Raise InvalidValue for a folder of secrets, or a file of certificates, that is not there."""
    for name, is_there in ((SECRETS, os.path.isdir), (CERTIFICATES, os.path.isfile)):
        if env.get(name) and not is_there(env[name]):
            raise InvalidValue(f"{name} is {env[name]}, which is not there", hint=NOT_THERE)


def _dsn(env: Mapping[str, str], name: str) -> str | None:
    """Return a connection string with its service's entries written out; None if not set.

    Raises InvalidValue for text that is not a connection string.
    """
    if not env.get(name):
        return None
    wrong = InvalidValue(
        f"{name} is not a connection string",
        hint="for example: postgresql://user:password@host:5432/headgate, or service=headgate "
        "(write @ : / ? # in the password as %40 %3A %2F %3F %23)",
    )
    try:
        dsn = without_service(env[name])
    except ProgrammingError:
        raise wrong from None  # libpq's message quotes the string, and with it the password
    port = str(conninfo_to_dict(dsn).get("port") or "0")
    if not port.replace(",", "").isdecimal():
        raise wrong  # an unescaped slash in the password: libpq reads what precedes it as the port
    return dsn


def _database_of(dsn: str | None) -> str:
    """Return the database that libpq would use, but `headgate` instead of the user's name."""
    return DATABASE if dsn is None else effective(dsn).get("dbname") or DATABASE


def _absolute(path: str | None) -> Path | None:
    return Path(path).expanduser().resolve() if path else None


def _folders(paths: str | None) -> Iterator[Path]:
    """Yield the folders of a list that is separated like PATH."""
    for text in (paths or "").split(os.pathsep):
        if path := _absolute(text.strip()):
            yield path


def _root() -> Path:
    """Return the root of the checkout, or the current folder if installed as a wheel."""
    return CHECKOUT if (CHECKOUT / "pyproject.toml").exists() else Path.cwd()


def shipped(name: str) -> Path:
    """Return a folder that ships with Headgate: in the package, or in a checkout's root."""
    packaged = PACKAGE / name
    return packaged if packaged.exists() else CHECKOUT / name


def _dags_folder(env: Mapping[str, str]) -> Path | None:
    """Return Airflow's configured DAGs folder, else the shipped one.

    The shipped folder is used only with the shipped plans, and only if it is writable; else None.
    """
    if told := env.get("AIRFLOW__CORE__DAGS_FOLDER"):
        return _absolute(told)
    folder = shipped("dags")
    is_ours = not env.get("HEADGATE_DB") and not env.get("HEADGATE_PLANS") and folder.is_dir()
    return folder if is_ours and os.access(folder, os.W_OK) else None

"""Environment of Airflow's processes: database, login, secrets and address.

All their files are in HEADGATE_HOME/airflow; no configuration file of the user is read.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlencode

from psycopg.conninfo import conninfo_to_dict

from headgate import files
from headgate.database import connect, dsn_of
from headgate.errors import InvalidValue
from headgate.migrate import create_database, database_exists
from headgate.secret_files import FOLDER
from headgate.sessions import is_pooled
from headgate.settings import Settings, shipped

DATABASE: Final = "airflow"
LOGIN: Final = "admin"
ADMIN_PASSWORD: Final = "HEADGATE_ADMIN_PASSWORD"
PASSWORDS_FILE: Final = "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"
PLANNER: Final = "headgate_planner"
STATSD: Final = "HEADGATE_STATSD"
SECRETS: Final = "select * from headgate.required_secrets()"

DEFAULTS: Final[Mapping[str, str]] = {
    "AIRFLOW__CORE__DAGS_FOLDER": str(shipped("dags")),
    "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__CORE__PARALLELISM": "4",
    "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "30",
    "AIRFLOW__WORKERS__EXECUTION_API_RETRIES": "8",  # outlasts a restart of the api-server
    # A task's start that is answered too late is sent again, rejected, and fails the task.
    "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "60",
    # The end of a task is noticed at once, and tasks of a dead process within seconds.
    "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "10",
    # A task starts soon after the previous one instead of up to a second later.
    "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.3",
    # A scheduler whose own heartbeat is late considers itself dead and restarts its tasks.
    "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "2",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "30",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "60",
    "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "15",
}
"""Defaults; variables of the environment take precedence."""


@dataclass(frozen=True, slots=True)
class AirflowHome:
    """Airflow's folder, and the port of its API and pages."""

    settings: Settings
    port: int

    @property
    def folder(self) -> Path:
        """Return the folder of all of Airflow's files."""
        return self.settings.home / "airflow"

    @property
    def logs(self) -> Path:
        """Return the folder of the processes' logs and, by DAG, of the tasks' logs."""
        return self.folder / "logs"

    @property
    def url(self) -> str:
        """Return the address of Airflow's pages."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def login_file(self) -> Path:
        """Return the path of the password file, which Airflow reads too."""
        return self.folder / "login.json"

    def password(self) -> str:
        """Return the admin's password, generated on first use."""
        self._make_folder()
        return _kept(self.login_file, {LOGIN: 12})[LOGIN]

    def create_database(self) -> None:
        """Create Airflow's metadata database if it is missing."""
        metadata = self.settings.with_database(DATABASE)
        if not database_exists(metadata):
            create_database(metadata)

    def environ(self) -> dict[str, str]:
        """Return the environment of Airflow's processes."""
        self.password()
        keys = _kept(self.folder / "keys.json", {"jwt_secret": 64, "secret_key": 32})
        metadata = dsn_of(self.settings.with_database(DATABASE))
        ours = {
            "AIRFLOW_HOME": str(self.folder),
            "AIRFLOW__API__BASE_URL": self.url,
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(self.port),
            "AIRFLOW__API__SECRET_KEY": keys["secret_key"],
            "AIRFLOW__API_AUTH__JWT_SECRET": keys["jwt_secret"],
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            PASSWORDS_FILE: str(self.login_file),
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{LOGIN}:admin",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": _url("psycopg", metadata),
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC": _url("psycopg_async", metadata),
            "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(self.logs),
        }
        connection = {"AIRFLOW_CONN_HEADGATE": connection_of(self.settings)}
        return {**DEFAULTS, **_metrics(), **connection, **os.environ, **ours}

    def environ_without_secrets(self) -> dict[str, str]:
        """Return the environment without the providers' secrets: only runners make calls."""
        with connect(self.settings, "airflow") as connection:
            secret = {x["secret_name"] for x in connection.execute(SECRETS).fetchall()} | {FOLDER}
        return {name: value for name, value in self.environ().items() if name not in secret}

    def _make_folder(self) -> None:
        files.private_folder(self.folder)
        files.private_folder(self.logs)


def _metrics() -> dict[str, str]:
    """Return the settings by which Airflow sends its own metrics; empty unless asked for.

    Raises InvalidValue for text that is not an address.
    """
    if not (address := os.environ.get(STATSD)):
        return {}
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal():
        raise InvalidValue(
            f"{STATSD} is not an address: {address!r}", hint="host and port: 127.0.0.1:9125"
        )
    return {
        "AIRFLOW__METRICS__STATSD_ON": "True",
        "AIRFLOW__METRICS__STATSD_HOST": host,
        "AIRFLOW__METRICS__STATSD_PORT": port,
    }


def connection_of(settings: Settings) -> str:
    """Return Airflow's connection to Headgate's database, as JSON, in the planner's role.

    On the user's server the login is the user's, and the session sets the role. A pooler does not
    keep the role: behind one the login must be headgate_planner or a member of it.
    """
    parts = conninfo_to_dict(dsn_of(settings, role=PLANNER))
    names = {"host": "host", "port": "port", "user": "login", "password": "password"}
    known: dict[str, Any] = {names[x]: parts[x] for x in names if parts.get(x)}
    extra = {k: v for k, v in parts.items() if k not in (*names, "dbname") and v is not None}
    if settings.dsn is not None and not _is_pooled(settings):
        extra["options"] = f"{extra.get('options', '')} -c role={PLANNER}".strip()
    if "port" in known:
        known["port"] = int(known["port"])
    connection = {"conn_type": "postgres", "schema": settings.database, "extra": extra}
    return json.dumps(known | connection)


def _is_pooled(settings: Settings) -> bool:
    with connect(settings, "airflow") as connection:
        return is_pooled(connection)


def write_login(environ: Mapping[str, str]) -> None:
    """Write the admin's password to the file that Airflow's settings name.

    Raises InvalidValue if HEADGATE_ADMIN_PASSWORD or the file's variable is not set.
    """
    password, path = environ.get(ADMIN_PASSWORD), environ.get(PASSWORDS_FILE)
    if not password or not path:
        missing = PASSWORDS_FILE if password else ADMIN_PASSWORD
        raise InvalidValue(f"{missing} is not set", hint="see .env.example and docker-compose.yaml")
    files.write(Path(path), json.dumps({LOGIN: password}) + "\n")


def _url(driver: str, dsn: str) -> str:
    """Return a connection string as a SQLAlchemy URL."""
    parts = {k: str(v) for k, v in conninfo_to_dict(dsn).items() if v is not None}
    user, password = parts.pop("user", ""), parts.pop("password", "")
    login = quote(user, safe="") + (f":{quote(password, safe='')}" if password else "")
    database = quote(parts.pop("dbname"), safe="")
    return f"postgresql+{driver}://{login}@/{database}?{urlencode(parts)}"


def _kept(path: Path, sizes: Mapping[str, int]) -> dict[str, str]:
    """Return random secrets of these sizes in bytes, generated once and kept in a private file."""
    if path.exists():
        known: dict[str, str] = json.loads(path.read_text())
        return known
    made = {name: secrets.token_urlsafe(size) for name, size in sizes.items()}
    files.write(path, json.dumps(made) + "\n")
    return made

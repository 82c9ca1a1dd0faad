"""One-time set-up of the user's own server: passwords of the login roles, Airflow's database.

Only SCRAM verifiers are sent, so that no password reaches the server's log.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from psycopg import Connection, sql

from headgate.database import connect, connect_server
from headgate.errors import NotMigrated
from headgate.migrate.setup import (
    create_database,
    database_exists,
    require_membership,
    role_exists,
)
from headgate.settings import Settings

AIRFLOW: Final = "airflow"
LOGINS: Final = {
    "headgate_planner": "HEADGATE_PLANNER_PASSWORD",
    "headgate_runner": "HEADGATE_RUNNER_PASSWORD",
    "headgate_reader": "HEADGATE_READER_PASSWORD",
    AIRFLOW: "HEADGATE_AIRFLOW_PASSWORD",
}
"""Login roles and the environment variables of their passwords."""


def set_logins(settings: Settings, environ: Mapping[str, str]) -> list[str]:
    """Set the passwords given in the environment, create Airflow's database; return the roles."""
    given = {role: environ[name] for role, name in LOGINS.items() if environ.get(name)}
    with connect_server(settings, "migrate") as connection:
        if AIRFLOW in given and not role_exists(connection, AIRFLOW):
            connection.execute(sql.SQL("create role {} login").format(sql.Identifier(AIRFLOW)))
        for role, password in given.items():
            set_password(connection, role, password)
    if AIRFLOW in given:
        _give_database(settings.with_database(AIRFLOW))
    return list(given)


def set_password(connection: Connection[Any], role: str, password: str) -> None:
    """Set a role's password. Raises NotMigrated if the role does not exist."""
    if not role_exists(connection, role):
        raise NotMigrated(f"there is no role {role} yet")
    verifier = connection.pgconn.encrypt_password(
        password.encode(), role.encode(), b"scram-sha-256"
    )
    statement = sql.SQL("alter role {} password {}")
    connection.execute(statement.format(sql.Identifier(role), sql.Literal(verifier.decode())))


def _give_database(settings: Settings) -> None:
    """Create Airflow's database, owned by its role, which needs no other right on the server."""
    if not database_exists(settings):
        create_database(settings)
    name = sql.Identifier(settings.database)
    with connect(settings, "migrate") as connection:
        require_membership(connection, [AIRFLOW])  # only then may who is no superuser give it away
        connection.execute(
            sql.SQL("alter database {} owner to {}").format(name, sql.Identifier(AIRFLOW))
        )
        connection.execute(sql.SQL("revoke connect on database {} from public").format(name))

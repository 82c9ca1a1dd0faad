"""Other logins of the server cannot connect, and no role can use up all connections."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from psycopg.conninfo import make_conninfo

from headgate.database import connect, dsn_of
from headgate.errors import ServerUnreachable
from headgate.settings import Settings

LIMITS = """
select r.rolname::text as role, r.rolconnlimit::float8 / current_setting('max_connections')::int as share
from pg_catalog.pg_roles as r
where r.rolname in ('headgate_planner', 'headgate_runner', 'headgate_reader')
"""


@pytest.fixture
def stranger(template: Settings) -> Iterator[str]:
    with connect(template.with_database("postgres"), "test", any_encoding=True) as connection:
        connection.execute("create role stranger login password 'x'")
        yield "stranger"
        connection.execute("drop role stranger")


def enter(settings: Settings, database: str, user: str) -> None:
    dsn = make_conninfo(dsn_of(settings), user=user, password="x", dbname=database)
    target = replace(settings, dsn=dsn, database=database)
    connect(target, "test", any_encoding=True).close()


def test_a_stranger_may_not_connect_to_our_database(template: Settings, stranger: str):
    with pytest.raises(ServerUnreachable, match="permission denied for database"):
        enter(template, template.database, stranger)


@pytest.mark.parametrize("database", ["postgres", "template1"])
def test_no_login_can_connect_to_the_embedded_servers_own_databases(
    template: Settings, stranger: str, database: str
):
    if template.dsn is not None:
        pytest.skip("the server's own databases are its superuser's affair")
    for user in (stranger, "headgate_reader"):
        with pytest.raises(ServerUnreachable, match="permission denied for database"):
            enter(template, database, user)


def test_no_role_may_take_all_connections(template: Settings):
    with connect(template, "test") as connection:
        shares = {x["role"]: x["share"] for x in connection.execute(LIMITS)}
    assert shares == {"headgate_planner": 0.5, "headgate_runner": 0.7, "headgate_reader": 0.25}

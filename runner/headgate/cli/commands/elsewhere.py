"""Finds other databases with runs if the chosen one has none: `make run` uses its own database."""

from __future__ import annotations

import logging

import psycopg

from headgate.database import READER, connect
from headgate.errors import HeadgateError
from headgate.settings import Settings

logger = logging.getLogger(__name__)

MAX_DATABASES = 200
ALWAYS_THERE = "postgres"

DATABASES = """
select d.datname as name
from pg_catalog.pg_database as d
where d.datallowconn and not d.datistemplate and d.datname <> %(database)s
    and pg_catalog.has_database_privilege(d.datname, 'connect')
order by d.datname not like 'headgate%%', d.datname
limit %(limit)s
"""
LATEST = """
select e.pipeline, e.run_id, e.started_at from headgate.v_recent_executions as e
order by e.started_at desc
limit 1
"""


def elsewhere(settings: Settings) -> list[str]:
    """Return a line for each other database of the server that has runs."""
    found = []
    for database in _databases(settings):
        try:
            other = settings.with_database(database)
            with connect(other, "status", role=READER) as connection:
                row = connection.execute(LATEST).fetchone()
        except (HeadgateError, psycopg.Error) as exc:
            logger.debug("database %s: %s", database, exc)
            continue
        if row is not None:
            found.append(
                f"database {database} has runs, the latest is {row['pipeline']} {row['run_id']}:"
                f" HEADGATE_DATABASE={database} headgate status"
            )
    return found


def _databases(settings: Settings) -> list[str]:
    names = {"database": settings.database, "limit": MAX_DATABASES}
    for database in (settings.database, ALWAYS_THERE):
        try:
            with connect(settings.with_database(database), "status") as connection:
                return [x["name"] for x in connection.execute(DATABASES, names)]
        except (HeadgateError, psycopg.Error) as exc:
            logger.debug("database %s: %s", database, exc)
    return []

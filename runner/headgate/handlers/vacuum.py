"""Handler `vacuum`: removes dead rows and refreshes statistics, which no function can do.

It needs a way into the database of its own: runners may not vacuum. The variable that its option
`dsn` names holds it; without the variable nothing is done, which the job says.
"""

from __future__ import annotations

import os
from contextlib import closing
from typing import Any

import psycopg
from psycopg import sql

from headgate.errors import WrongPlan
from headgate.handlers.contract import Chunk, Result

CONNECT_SECONDS = 10
TABLES = """
    select n.nspname as folder, c.relname as name
    from pg_class as c
    join pg_namespace as n on n.oid = c.relnamespace
    where n.nspname = any (%(schemas)s)
        and c.relkind in ('r', 'm')
    order by 1, 2
"""


def vacuum(chunk: Chunk) -> Result:
    """Vacuum and analyze all tables of the option `schemas`; the output says how many.

    Raises WrongPlan.
    """
    unknown = chunk.options.keys() - {"dsn", "schemas"}
    if unknown or not all(chunk.options.get(x) for x in ("dsn", "schemas")):
        raise WrongPlan("vacuum needs the options dsn, the name of a variable, and schemas, a list")
    variable, (asset_id,) = chunk.options["dsn"], chunk.asset_ids.tolist()
    dsn = os.environ.get(variable, "")
    if not dsn:
        return Result(
            skipped={asset_id: f"{variable} is not set: dead rows are left to autovacuum"},
            output={asset_id: {"vacuumed": 0}},
        )
    try:
        with closing(_connect(dsn)) as connection:
            count, warnings = _vacuum(connection, chunk.options["schemas"])
    except psycopg.OperationalError as exc:
        return Result(retry={asset_id: f"the database of {variable}: {exc}"})
    if warnings:
        return Result(failed={asset_id: "; ".join(warnings)})
    return Result(output={asset_id: {"vacuumed": count}})


def _connect(dsn: str) -> psycopg.Connection[Any]:
    return psycopg.connect(
        dsn,
        autocommit=True,  # within a transaction there is no vacuum
        connect_timeout=CONNECT_SECONDS,
        application_name="headgate vacuum",
    )


def _vacuum(connection: psycopg.Connection[Any], schemas: list[str]) -> tuple[int, list[str]]:
    """Vacuum the tables; return their number and the warnings, by which tables are passed over."""
    warnings: list[str] = []
    connection.add_notice_handler(lambda notice: warnings.append(str(notice.message_primary)))
    tables = connection.execute(TABLES, {"schemas": schemas}).fetchall()
    for table in tables:
        connection.execute(
            sql.SQL("vacuum (analyze, skip_locked) {}").format(sql.Identifier(*table))
        )
    return len(tables), warnings

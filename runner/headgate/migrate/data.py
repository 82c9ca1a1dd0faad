"""Data files of a plan: `data/<schema>.<table>.csv.gz` replaces the table's rows."""

from __future__ import annotations

import csv
import gzip
import io
from typing import Any

from psycopg import Connection, sql

from headgate.errors import MigrateError
from headgate.migrate.files import File

BLOCK = 1 << 18


def load_data(connection: Connection[Any], file: File) -> None:
    """Truncate the table and copy the file into it; its header line names the columns."""
    schema, _, rest = file.path.rpartition("/")[2].partition(".")
    table = sql.Identifier(schema, rest.removesuffix(".csv.gz"))
    with gzip.open(io.BytesIO(file.body)) as rows, connection.cursor() as cursor:
        header = next(csv.reader([rows.readline().decode()]), [])
        if not header:
            raise MigrateError(
                f"{file.path}: the first line must name the columns",
                hint="its first line is empty: put the columns' names there, as CSV",
            )
        rows.seek(0)
        columns = sql.SQL(", ").join(map(sql.Identifier, header))
        cursor.execute(sql.SQL("truncate table {}").format(table))
        statement = sql.SQL("copy {} ({}) from stdin (format csv, header match)")
        with cursor.copy(statement.format(table, columns)) as copy:
            while block := rows.read(BLOCK):
                copy.write(block)

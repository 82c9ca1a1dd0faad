"""Functions with changed arguments or results, which `create or replace` rejects or leaves behind.

A function file defines all overloads of its names. An overload that the file no longer creates is
dropped after its last one; one whose result type changed is dropped first.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, Final

from psycopg import Connection
from psycopg.errors import InvalidFunctionDefinition

from headgate.errors import MigrationFailed
from headgate.migrate.files import File
from headgate.migrate.sql import Statement, statements

DEFINES: Final = re.compile(
    r"create or replace (?:function|procedure)\s+([a-z_]\w*\.[a-z_]\w*)\s*\("
)
KNOWN: Final = """
    select p.oid::regprocedure::text as function, p.xmin::text as version
    from pg_catalog.pg_proc as p
    join pg_catalog.pg_namespace as n on n.oid = p.pronamespace
    join unnest(%s::text[], %s::text[]) as w (schema, name)
        on w.schema = n.nspname and w.name = p.proname
"""


def names_of(files: Iterable[File]) -> dict[str, list[str]]:
    """Return the paths of the function files that define each `schema.function`."""
    found: dict[str, list[str]] = {}
    for file in (x for x in files if x.kind == "function"):
        for name in dict.fromkeys(DEFINES.findall(file.text)):
            found.setdefault(name, []).append(file.path)
    return found


def replace_functions(
    connection: Connection[Any],
    file: File,
    definers: dict[str, list[str]],
    execute: Callable[[Statement], None],
) -> None:
    """Apply a function file and drop replaced overloads, except of names in other files too."""
    names = [name for name, paths in definers.items() if paths == [file.path]]
    known = _known(connection, names)
    parts = [(x, DEFINES.match(x.text)) for x in statements(file.text)]
    to_come = Counter(name[1] for _, name in parts if name)
    for statement, name in parts:
        if not known or name is None or name[1] not in names:
            execute(statement)
            continue
        try:
            with connection.transaction():
                execute(statement)
        except MigrationFailed as exc:
            if not isinstance(exc.__cause__, InvalidFunctionDefinition):
                raise
            for drop in _drops(connection, [name[1]], known, statement.line):
                execute(drop)
            execute(statement)
        to_come[name[1]] -= 1
        if not to_come[name[1]]:  # at once: what follows may name it without its arguments
            for drop in _drops(connection, [name[1]], known, statement.line):
                execute(drop)


def _known(connection: Connection[Any], names: list[str]) -> dict[str, str]:
    schemas, functions = [x.split(".")[0] for x in names], [x.split(".")[1] for x in names]
    rows = connection.execute(KNOWN, (schemas, functions)).fetchall()
    return {x["function"]: x["version"] for x in rows}


def _drops(
    connection: Connection[Any], names: list[str], known: dict[str, str], line: int
) -> list[Statement]:
    """Return statements that drop the overloads not re-created since `known`, without cascade."""
    if not known:
        return []
    return [
        Statement(line, f"drop routine {function}")
        for function, version in _known(connection, names).items()
        if known.get(function) == version
    ]

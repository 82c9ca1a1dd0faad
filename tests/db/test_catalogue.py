"""A fresh install has the catalogue that db/schema.sql describes, on any version of the server.

On PostgreSQL 18 the text is compared as well (tests/test_schema.py). Here the file is loaded into an empty database,
whose catalogue is compared with the one that `migrate` made.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import LiteralString

from headgate.database import connect
from headgate.migrate.pgmq import install_pgmq
from headgate.settings import Settings
from tests.servers import DB

OURS: LiteralString = """
    n.nspname in ('headgate', 'headgate_bi') or pg_catalog.pg_get_userbyid(n.nspowner) like 'headgate\\_plan\\_%%'
"""
CATALOGUE: dict[str, LiteralString] = {
    "columns": """
        select c.oid::regclass::text, a.attname::text, format_type(a.atttypid, a.atttypmod),
            a.attnotnull, a.attidentity::text, a.attgenerated::text,
            pg_get_expr(d.adbin, d.adrelid), col_description(c.oid, a.attnum)
        from pg_class as c
        join pg_namespace as n on n.oid = c.relnamespace
        join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
        left join pg_attrdef as d on d.adrelid = c.oid and d.adnum = a.attnum
        where not c.relispartition and c.relkind in ('r', 'p', 'v', 'c')
    """,
    "relations": """
        select c.oid::regclass::text, c.relkind::text, c.relowner::regrole::text,
            (select array_agg(x::text order by x::text) from unnest(
                coalesce(c.relacl, case
                    when c.relkind in ('r', 'p', 'v') then acldefault('r', c.relowner)
                    when c.relkind = 'S' then acldefault('s', c.relowner)
                end)
            ) as x),
            c.reloptions, obj_description(c.oid, 'pg_class'),
            case c.relkind when 'v' then pg_get_viewdef(c.oid) when 'i' then pg_get_indexdef(c.oid)
            when 'I' then pg_get_indexdef(c.oid) when 'p' then pg_get_partkeydef(c.oid) end
        from pg_class as c
        join pg_namespace as n on n.oid = c.relnamespace
        where not c.relispartition
            and not exists (
                select from pg_index as i join pg_class as t on t.oid = i.indrelid
                where i.indexrelid = c.oid and t.relispartition
            )
    """,
    "constraints": """
        select c.conrelid::regclass::text, c.conname::text, pg_get_constraintdef(c.oid)
        from pg_constraint as c
        join pg_namespace as n on n.oid = c.connamespace
        join pg_class as t on t.oid = c.conrelid
        where not t.relispartition and c.contype <> 'n'
    """,
    "functions": """
        select p.oid::regprocedure::text, pg_get_functiondef(p.oid), p.proowner::regrole::text,
            (select array_agg(x::text order by x::text) from unnest(
                coalesce(p.proacl, acldefault('f', p.proowner))
            ) as x),
            obj_description(p.oid, 'pg_proc')
        from pg_proc as p
        join pg_namespace as n on n.oid = p.pronamespace
        where p.prokind in ('f', 'p')
    """,
    "schemas": """
        select n.nspname::text, n.nspowner::regrole::text,
            (select array_agg(x::text order by x::text) from unnest(n.nspacl) as x),
            obj_description(n.oid, 'pg_namespace')
        from pg_namespace as n
        where true
    """,
}


def test_the_file_and_the_install_agree(
    template: Settings, clone: Callable[[Settings | None], Settings]
):
    loaded = clone(None)
    with connect(loaded, "test") as connection:
        install_pgmq(connection)
        connection.execute("set check_function_bodies = off")
        connection.execute(_loadable((DB / "schema.sql").read_text()).encode())
    described, installed = catalogue(loaded), catalogue(template)

    for kind, rows in installed.items():
        assert sorted(rows - described[kind]) == [], f"{kind}: installed, not in the file"
        assert sorted(described[kind] - rows) == [], f"{kind}: in the file, not installed"


def _loadable(text: str) -> str:
    """Remove what only psql, or only a newer server, understands."""
    return "\n".join(
        x for x in text.splitlines() if not x.startswith(("\\", "SET transaction_timeout"))
    )


def catalogue(settings: Settings) -> dict[str, set[str]]:
    """Return the server's catalogue of our schemas, by kind."""
    found = {}
    with connect(settings, "test") as connection:
        for kind, query in CATALOGUE.items():
            rows = connection.execute(f"{query} and ({OURS})".replace("%%", "%"))
            found[kind] = {str(tuple(x.values())) for x in rows}
    return found

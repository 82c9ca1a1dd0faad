"""Parses README.md, CONTRIBUTING.md and the pages of docs/, so that tests can compare them with the code.

A fenced block may have a mark on the line before it: `<!-- name: value -->`, or, for the contents of a file, the
file's path between backticks. Text between `<!-- generated: name -->` and `<!-- end -->` is generated from the
database; `python -m tests.docs` rewrites it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, LiteralString

from psycopg import Connection
from psycopg.rows import DictRow

from headgate.database import connect
from headgate.migrate.run import migrate
from tests.servers import embedded_server

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
MARK = re.compile(r"<!-- (\w+): (.*?) -->")
FILE = re.compile(r"`(db/[\w./-]+)`")
GENERATED = re.compile(r"(<!-- generated: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)

TABLES: dict[str, LiteralString] = {
    "views": """
        select
            format('`headgate.%s`', c.relname) as view,
            obj_description(c.oid, 'pg_class') as says,
            string_agg(format('`%s`', a.attname), ', ' order by a.attnum) as columns
        from pg_catalog.pg_class as c
        join pg_catalog.pg_attribute as a on a.attrelid = c.oid and a.attnum > 0
        where c.relnamespace = 'headgate'::regnamespace
            and c.relkind = 'v'
            and c.relname like 'v\\_%'
        group by c.oid
        order by c.relname
    """,
    "bi": """
        select
            format('`%s.%s`', n.nspname, c.relname) as view,
            obj_description(c.oid, 'pg_class') as says,
            string_agg(format('`%s`', a.attname), ', ' order by a.attnum) as columns
        from pg_catalog.pg_class as c
        join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
        join pg_catalog.pg_attribute as a on a.attrelid = c.oid and a.attnum > 0
        where n.nspname like '%\\_bi'
            and c.relkind = 'v'
        group by c.oid, n.nspname
        order by n.nspname = 'headgate_bi' desc, n.nspname, c.relname
    """,
    "groups": """
        select
            format('`%s`', min(s.step)) as step,
            a.group_key as "group",
            string_agg(distinct a.attributes ->> 'exchange', ', ') as exchange,
            min(a.calendar) as sessions,
            to_char(count(*), 'FM99,999') as listings
        from headgate.assets as a
        join headgate.pipeline_steps as s on a.group_key = any (s.group_keys)
        where a.universe = 'equities'
        group by a.group_key
        order by min(s.position), a.group_key
    """,
    "parameters": """
        select
            format('`%s`', m.name) as parameter,
            m.default_value as default,
            m.description as meaning
        from headgate.pipeline_parameters as m
        join headgate.pipelines as p using (pipeline_id)
        where p.name = 'data_collection_equities'
        order by m.ctid
    """,
    "indicators": """
        select
            format('`%s`', a.attname) as column,
            split_part(col_description(a.attrelid, a.attnum), ' Source: ', 1) as meaning,
            rtrim(split_part(col_description(a.attrelid, a.attnum), ' Source: ', 2), '.') as source
        from pg_catalog.pg_attribute as a
        where a.attrelid = 'equities.technical_indicators'::regclass
            and a.atttypid = 'float8'::regtype
        order by a.attnum
    """,
    "checks": """
        select format('`%s`', c.name) as "check", c.severity, format('`%s`', c.warn_if) as "does not pass if",
            c.description as what
        from headgate.v_checks as c
        where c.pipeline = 'data_collection_equities'
        order by c.name
    """,
    "metrics": """
        select format('`%s`', m.name) as metric, m.type, format('`%s`', nullif(m.labels, '')) as labels, m.help as what
        from headgate._metric_names as m
        order by m.name
    """,
    "rules": """
        select
            coalesce(nullif(r.status, '*'), 'any') as status,
            '`' || r.content_type || '`' as type,
            '`' || r.body || '`' as body,
            r.outcome, r.fault, r.blocks, r.reason
        from headgate.response_rules as r
        join headgate.providers as p using (provider_id)
        where p.name = 'eodhd'
        order by r.position
    """,
}


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block of a page."""

    page: Path
    line: int
    language: str
    text: str
    marks: dict[str, str]
    file: str | None

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line}"


def blocks(page: Path, language: str | None = None) -> list[Block]:
    """Return the fenced blocks of a page, or those in one language."""
    return [x for x in _blocks(page) if language in (None, x.language)]


def _blocks(page: Path) -> Iterator[Block]:
    text = page.read_text()
    for found in FENCE.finditer(text):
        before = text[: found.start()].rstrip().rpartition("\n")[2]
        file = FILE.fullmatch(before)
        yield Block(
            page=page,
            line=text.count("\n", 0, found.start()) + 1,
            language=found[1],
            text=found[2],
            marks=dict(MARK.findall(before)),
            file=file[1] if file else None,
        )


def regenerated(page: Path, connection: Connection[DictRow]) -> str:
    """Return the page's text with its generated parts rewritten from the database."""

    def table(found: re.Match[str]) -> str:
        rows = connection.execute(TABLES[found[2]]).fetchall()
        return f"{found[1]}\n{as_markdown(rows)}\n{found[3]}"

    return GENERATED.sub(table, page.read_text())


def as_markdown(rows: list[dict[str, Any]]) -> str:
    """Return rows as a Markdown table."""
    lines = [list(rows[0]), ["---"] * len(rows[0])]
    lines += [["" if x is None else str(x) for x in row.values()] for row in rows]
    escaped = ([x.replace("|", "\\|") for x in line] for line in lines)
    return "".join(f"| {' | '.join(line)} |\n" for line in escaped)


def as_lines(rows: list[dict[str, Any]]) -> list[str]:
    """Return rows as printed by psql, with runs of spaces collapsed."""
    head = " | ".join(rows[0])
    return [head, *(" | ".join("" if x is None else str(x) for x in row.values()) for row in rows)]


def squeezed(text: str) -> list[str]:
    """Return the lines of a text with runs of spaces collapsed, without rulers and empty lines."""
    lines = [" ".join(line.split()) for line in text.splitlines()]
    return [line for line in lines if line.strip("-+─ ")]


def main() -> None:
    """Write the generated parts of all pages."""
    with embedded_server() as server:
        settings = server.with_database("docs")
        migrate(settings)
        with connect(settings, "docs") as connection:
            for page in PAGES:
                page.write_text(regenerated(page, connection))


if __name__ == "__main__":
    main()

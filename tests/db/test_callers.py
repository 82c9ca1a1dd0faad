"""Every private function of the core has a caller."""

from __future__ import annotations

import re
from pathlib import Path

from tests.plan import Plan

ROOT = Path(__file__).parents[2]
FOLDERS = ("db/functions", "db/views", "db/migrations", "db/grants", "db/limits", "db/plans")
PRIVATE = """
select p.proname::text as name
from pg_proc as p
where p.pronamespace = 'headgate'::regnamespace
    and p.proname like E'\\\\_%%'
    and p.prorettype <> 'trigger'::regtype
"""


def test_every_private_function_has_a_caller(db: Plan):
    sources = [x.read_text() for folder in FOLDERS for x in sorted((ROOT / folder).rglob("*.sql"))]
    sources += [x.read_text() for x in sorted((ROOT / "runner").rglob("*.py"))]
    used: dict[str, int] = {}
    for source in sources:
        code = re.sub(r"(?m)--.*$", "", source)
        for name in re.findall(r"\b_[a-z0-9_]+(?=\()", code):
            used[name] = used.get(name, 0) + 1
        for name in re.findall(r"create or replace function headgate\.(_[a-z0-9_]+)", code):
            used[name] -= 1

    names = {row["name"] for row in db.sql(PRIVATE)}
    assert sorted(x for x in names if used.get(x, 0) <= 0) == []

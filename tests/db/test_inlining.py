"""Functions without a pinned search path exist to be inlined, and must be inlined."""

from __future__ import annotations

from tests.plan import Plan

LOOSE = """
select
    p.oid::regprocedure::text as signature, p.oid::regproc::text as name, p.proretset as is_set,
    array(select format_type(t.type, null) from unnest(p.proargtypes) with ordinality as t (type, nth) order by t.nth) as types
from pg_proc as p
join pg_namespace as n on n.oid = p.pronamespace
where n.nspname in ('headgate', 'equities')
    and coalesce(array_to_string(p.proconfig, ' '), '') !~ 'search_path='
"""


def test_functions_without_a_pinned_search_path_are_inlined(db: Plan):
    called = [
        function["signature"]
        for function in db.sql(LOOSE)
        if f"{function['name']}(" in explained(db, **function)
    ]
    assert called == [], (
        "an EXISTS, or immutable where its body is stable, keeps a function from it"
    )


def explained(db: Plan, name: str, types: list[str], is_set: bool, signature: str) -> str:
    """Return the plan of a call whose arguments are columns of unknown content."""
    columns = ", ".join(f"null::{x} as a{n}" for n, x in enumerate(types))
    arguments = ", ".join(f"x.a{n}" for n in range(len(types)))
    call = f"{name}({arguments})"
    source = f"(select {columns} offset 0) as x"
    query = (
        f"select r.* from {source} cross join lateral {call} as r"
        if is_set
        else f"select {call} from {source}"
    )
    rows = db.sql(f"explain (verbose, costs off) {query}")
    return "\n".join(x["QUERY PLAN"] for x in rows)

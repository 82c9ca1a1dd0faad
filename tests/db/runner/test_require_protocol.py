"""Runners of several versions work on one database, as long as it serves the protocol that each speaks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from headgate import PROTOCOL
from tests.db.toy import Toy
from tests.plan import Plan

PROMISED = Path(__file__).parent / "protocols"
SERVED = "select lower(x) as oldest, upper(x) - 1 as newest from headgate._protocols() as x"
SERVE = """
create or replace function headgate._protocols() returns int4range language sql immutable
    as $func$ select int4range({}, {}, '[]'); $func$
"""
FUNCTIONS = """
select
    p.proname as name,
    jsonb_object_agg(a.name, jsonb_build_object('type', format_type(a.type, null), 'may_be_left_out', a.is_optional))
        filter (where a.mode in ('i', 'b')) as arguments,
    coalesce(
        jsonb_object_agg(a.name, format_type(a.type, null)) filter (where a.mode in ('o', 't', 'b')),
        (
            select jsonb_object_agg(c.attname, format_type(c.atttypid, null))
            from pg_attribute as c
            where c.attrelid = t.typrelid and c.attnum > 0 and not c.attisdropped
        ),
        jsonb_build_object('', format_type(p.prorettype, null))
    ) as results
from pg_proc as p
join pg_type as t on t.oid = p.prorettype
left join lateral (
    select
        u.name, u.type, coalesce(u.mode, 'i') as mode,
        u.nth > p.pronargs - p.pronargdefaults as is_optional
    from unnest(p.proargnames, coalesce(p.proallargtypes, p.proargtypes::oid[]), p.proargmodes)
        with ordinality as u (name, type, mode, nth)
) as a on true
where p.pronamespace = 'headgate'::regnamespace
    and has_function_privilege('headgate_runner', p.oid, 'execute')
    and not has_function_privilege('headgate_nobody', p.oid, 'execute')
group by p.oid, t.typrelid
order by p.proname
"""


def described(db: Plan) -> dict[str, Any]:
    """Return the arguments and result columns of each function that runners call."""
    return {x.pop("name"): x for x in db.sql(FUNCTIONS)}


def breaches(promised: dict[str, Any], found: dict[str, Any] | None) -> list[str]:
    """Return what a runner that relies on one description of a function does not find in the other."""
    if found is None:
        return ["it is gone"]
    before, now = promised["arguments"] or {}, found["arguments"] or {}
    results = found["results"]
    return [
        *(f"argument {x} is gone" for x in before.keys() - now.keys()),
        *(f"argument {x} must be given" for x in now if not is_kept(now[x], before.get(x))),
        *(f"result {x} is gone" for x, y in promised["results"].items() if results.get(x) != y),
    ]


def is_kept(now: dict[str, Any], before: dict[str, Any] | None) -> bool:
    """Return whether a call that was right before is right now, as to one argument."""
    if before is None or before["may_be_left_out"]:
        return bool(now["may_be_left_out"]) and before in (None, now)
    return bool(now["type"] == before["type"])


def test_what_runners_of_each_served_protocol_call_is_as_they_know_it(db: Plan):
    (served,) = db.sql(SERVED)
    found = described(db)

    assert served["newest"] == PROTOCOL
    for number in range(served["oldest"], served["newest"] + 1):
        promised = json.loads((PROMISED / f"{number}.json").read_text())
        broken = {x: y for x in promised if (y := breaches(promised[x], found.get(x)))}
        assert broken == {}, f"runners of protocol {number} rely on it: see docs/operations.md"


def test_a_change_that_a_runner_would_notice_is_found(db: Plan):
    before = described(db)["lose_lease"]
    optional, needed = ({"type": "text", "may_be_left_out": x} for x in (True, False))

    def of(**arguments: object) -> dict[str, Any]:
        return {**before, "arguments": {**before["arguments"], **arguments}}

    assert breaches(before, of(p_new=optional, p_reason=optional)) == []
    assert breaches(before, of(p_new=needed)) == ["argument p_new must be given"]
    assert breaches(before, of(p_reason={**needed, "type": "jsonb"})) != []
    assert breaches(before, {"arguments": {}, "results": before["results"]}) != []
    assert breaches(before, {**before, "results": {}}) == ["result  is gone"]
    assert breaches(before, None) == ["it is gone"]


@pytest.mark.parametrize(
    ("served", "protocol", "message", "hint"),
    [
        (
            (1, 1),
            2,
            "speaks protocol 2, the database 1",
            "`headgate migrate` of the runner's version",
        ),
        ((2, 3), 1, "speaks protocol 1, the database 2 to 3", "the version that migrated"),
        ((1, 1), None, "speaks protocol none", "the version that migrated"),
    ],
)
def test_a_protocol_that_is_not_served_is_refused_with_the_way_out(
    toy: Toy, served: tuple[int, int], protocol: int | None, message: str, hint: str
):
    toy.connection.execute(SERVE.format(*served).encode())

    toy.call("require_protocol", p_protocol=served[0])
    with toy.refused("HG025", message, hint):
        toy.call("require_protocol", p_protocol=protocol)


def test_a_runner_that_is_served_no_longer_hands_in_what_it_holds_and_gets_no_more(toy: Toy):
    toy.add(20)
    toy.begin()
    (held, *_) = toy.claim()
    toy.connection.execute(SERVE.format(2, 2).encode())

    assert toy.complete(held, p_claim=1) == []
    assert {x["status"] for x in toy.details()} == {"success"}
    with toy.refused("HG025", "speaks protocol 1, the database 2"):
        toy.call("claim_jobs", p_runner="w1")
    assert toy.call("claim_jobs", p_runner="w2", p_protocol=2)[0]["chunk_id"]

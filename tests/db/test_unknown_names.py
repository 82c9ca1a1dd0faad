"""Every function that takes a pipeline or run rejects an unknown one, even if tables look empty to the planner."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from tests.db.toy import Toy

TAKE = """
select p.oid::regproc::text as name, p.prokind = 'p' as is_procedure,
    'p_run_id' = any (p.proargnames) as takes_a_run,
    (
        select jsonb_object_agg(a.name, format_type(a.type, null))
        from unnest(p.proargnames[:p.pronargs - p.pronargdefaults], p.proargtypes::oid[]) as a (name, type)
        where a.name <> '' and a.type <> 0
    ) as needs
from pg_catalog.pg_proc as p
where p.pronamespace = 'headgate'::regnamespace and p.proname !~ '^_' and 'p_pipeline' = any (p.proargnames)
order by 1
"""
USUAL = {"p_step": "a", "p_status": "failed", "p_state": "failed"}
MAY = {
    "headgate.begin_step": "asked before a run is made, too, and of tasks that the plan leaves alone",
    "headgate.check_health": "a step of any pipeline, of whose run it says nothing",
    "headgate.maintain_history": "likewise",
    "headgate.maintain_statistics": "likewise",
    "headgate.report_step": "a DAG may have tasks of its own, which the plan leaves alone",
    "headgate.run_pipeline": "makes the run",
    "headgate.start_execution": "makes the run",
    "headgate.trigger_pipeline": "makes the run",
}
ONE_BY_ONE = "set local enable_indexscan = off; set local enable_bitmapscan = off; set local enable_indexonlyscan = off"


@pytest.mark.parametrize(
    ("pipeline", "run", "code"), [("nope", "r1", "HG001"), ("plain", "nope", "HG002")]
)
def test_an_unknown_name_is_refused_by_a_code_of_its_own(
    toy: Toy, pipeline: str, run: str, code: str
):
    toy.sql(ONE_BY_ONE)
    answers = {}
    for function in toy.sql(TAKE):
        if code == "HG001" or function["takes_a_run"]:
            given = {x: USUAL.get(x) for x in function["needs"] or {}} | {"p_pipeline": pipeline}
            if function["takes_a_run"]:
                given["p_run_id"] = run
            answers[function["name"]] = answer(
                toy, function["name"].removeprefix("headgate."), given
            )

    assert len(answers) > 10
    assert {x: y for x, y in answers.items() if y != code and x not in MAY} == {}


def answer(toy: Toy, name: str, given: dict[str, Any]) -> str:
    try:
        with toy.connection.transaction(force_rollback=True):
            toy.call(name, **given)
    except psycopg.Error as exc:
        return f"{exc.sqlstate}" if (exc.sqlstate or "").startswith("HG") else f"{exc}"
    return "taken"

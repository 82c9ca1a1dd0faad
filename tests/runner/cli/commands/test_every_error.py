"""Each code of docs/errors.md that a command can raise is raised by one; tests/test_docs.py covers SQL."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import LiteralString

import pytest

from headgate.settings import Settings
from tests.docs import ROOT
from tests.plan import Plan
from tests.runner.cli.commands.conftest import Ask
from tests.runner.conftest import Run
from tests.runner.small_plan import name_the_date, write_plan

ERRORS = re.findall(r"^\| (HG\d{3}) \|", (ROOT / "docs" / "errors.md").read_text(), re.MULTILINE)
WITHOUT_A_COMMAND = {
    "HG005": "no command takes a provider; a plan that names an unknown one is HG020",
    "HG012": "a runner drops the work and says so in its log",
    "HG021": "`headgate run` names its runs itself, each with another name",
    "HG025": "a worker of another version: tests/attacks/test_machines.py",
    "HG023": "a step that returns too much has failed, and its output says why",
}
PLAN = """
select headgate.begin_plan('fruit');
select headgate.put_provider('fruit', 'http://fruit.test');
select headgate.put_operation('fruit_apples', 'apples', due => 'once', provider => 'fruit', request => '{request}',
    ingest_function => {function});
select headgate.put_pipeline('fruit');
select headgate.put_step('fruit', 'all', operations => '{{{operation}}}');
select headgate.end_plan();
select headgate.upsert_assets('apples', '[{{"code": "red", "group_key": "a"}}]');
"""
RIGHT = {"request": "GET /{asset.code}", "function": "'fruit.keep'", "operation": "fruit_apples"}
KEEP = """
create or replace function fruit.keep(p_context jsonb, p_asset_ids bigint[], p_payloads text[])
returns setof headgate.ingest_result
language sql
security definer
set search_path = pg_catalog, pg_temp
as $func$
    select u.asset_id, 'success', 1, null::timestamptz, null::text from unnest(p_asset_ids) as u (asset_id);
$func$;
"""


def pause(plan: Plan) -> None:
    plan.call("pause_pipeline", p_pipeline="small_shop")


def cancel(plan: Plan) -> None:
    plan.call("cancel_execution", p_pipeline="small_shop", p_run_id="monday-1")


def add_namesake(plan: Plan) -> None:
    write_plan(plan, provider="market", assets=1)


def give_to_airflow(plan: Plan) -> None:
    cancel(plan)
    plan.call("start_execution", p_pipeline="small_shop", p_run_id="scheduled__1")


def want_a_secret(plan: Plan) -> None:
    cancel(plan)
    plan.sql(
        "update headgate.providers set secret_name = 'SHOP_TOKEN',"
        """ auth = '{"in": "query", "name": "token"}' where name = 'shop'"""
    )


OF_RUNS: dict[str, tuple[Callable[[Plan], None] | None, list[str]]] = {
    "HG001": (None, ["run", "small_shpo"]),
    "HG002": (None, ["status", "mondya-1"]),
    "HG003": (None, ["skip", "monday-1", "al"]),
    "HG004": (None, ["request", "look_shpo", "T1"]),
    "HG006": (None, ["assets", "--group", "g"]),
    "HG022": (None, ["backfill", "small_shop", "2020-01-01", "2020-01-02"]),
    "HG024": (name_the_date, ["backfill", "small_shop", "1999-01-01", "2020-01-01"]),
    "HG007": (None, ["explain", "small_shop", "--param", "max_nwe=3"]),
    "HG008": (None, ["forecast", "small_shop", "--days", "0"]),
    "HG009": (None, ["show", "T11"]),
    "HG010": (add_namesake, ["show", "T0"]),
    "HG011": (give_to_airflow, ["run", "small_shop"]),
    "HG013": (pause, ["run", "small_shop"]),
    "HG014": (cancel, ["skip", "monday-1", "all"]),
    "HG019": (want_a_secret, ["run", "small_shop"]),
}
BEFORE: dict[str, LiteralString] = {
    "HG017": "delete from headgate.asset_processing_state; delete from headgate.assets"
}
"""Statements run by hand: once assets exist, the plan's own check would find the field first."""
OF_PLANS = {
    "HG017": ("plan.sql", PLAN.format(**RIGHT | {"request": "GET /{asset.cusip}"})),
    "HG018": ("functions/keep.sql", KEEP.replace("security definer\n", "")),
    "HG020": ("plan.sql", PLAN.format(**RIGHT | {"operation": "fruit_pears"})),
}


def test_each_code_is_met_here_or_has_a_reason_why_not():
    assert sorted([*OF_RUNS, *OF_PLANS, *WITHOUT_A_COMMAND]) == ERRORS


@pytest.mark.parametrize("code", OF_RUNS)
def test_a_command_is_refused_with_code_and_hint(refused: Ask, monday: Plan, code: str):
    prepare, command = OF_RUNS[code]
    if prepare is not None:
        prepare(monday)

    said = refused(*command)

    assert re.search(rf"^error: .* \[{code}\]\nhint: .", said, re.MULTILINE | re.DOTALL), said


@pytest.fixture
def fruit(tmp_path: Path) -> Path:
    """Write a valid plan."""
    folder = tmp_path / "fruit"
    (folder / "functions").mkdir(parents=True)
    (folder / "functions" / "keep.sql").write_text(KEEP)
    (folder / "plan.sql").write_text(PLAN.format(**RIGHT))
    return folder


@pytest.mark.parametrize("code", OF_PLANS)
def test_an_edit_of_a_plan_is_refused_with_code_and_hint_and_changes_nothing(
    run: Run, core: Settings, core_plan: Plan, fruit: Path, code: str
):
    first = run("migrate", settings=core, HEADGATE_PLANS=str(fruit))
    core_plan.sql(BEFORE.get(code, "select"))
    applied = core_plan.sql("select path, sha256 from headgate.schema_files order by path")
    file, text = OF_PLANS[code]
    (fruit / file).write_text(text)

    result = run("migrate", settings=core, HEADGATE_PLANS=str(fruit))

    assert (first.code, result.code) == (0, 1), first.err
    assert re.search(rf"^error: .* \[{code}\]\nhint: .", result.err, re.MULTILINE | re.DOTALL)
    assert core_plan.sql("select path, sha256 from headgate.schema_files order by path") == applied


def test_a_plan_that_would_retire_an_operation_with_chunks_in_flight_is_refused_and_says_which(
    run: Run, core: Settings, core_plan: Plan, fruit: Path
):
    first, rest = PLAN.format(**RIGHT | {"operation": "fruit_apples, fruit_pears"}).split(
        "select headgate.put_pipeline", 1
    )
    more = first[first.index("select headgate.put_operation") :].replace(
        "fruit_apples", "fruit_pears"
    )
    (fruit / "plan.sql").write_text(f"{first}{more}select headgate.put_pipeline{rest}")
    assert run("migrate", settings=core, HEADGATE_PLANS=str(fruit)).code == 0
    core_plan.call("run_pipeline", p_pipeline="fruit", p_run_id="r1")
    core_plan.call("advance_executions")  # starts the step
    (fruit / "plan.sql").write_text(PLAN.format(**RIGHT))

    for command in (["migrate"], ["check", "fruit"]):
        result = run(*command, settings=core, HEADGATE_PLANS=str(fruit))

        assert result.code == 1
        said = result.out + result.err
        assert (
            "operation fruit_pears is no longer declared, but 1 chunk is in flight, of fruit/r1"
            in said
        )
        assert "hint: " in said
    assert (
        core_plan.scalar(
            "select count(*) from headgate.v_operations where operation like 'fruit_%%'"
        )
        == 2
    )

"""DAGs contain only the graph of the plan's rows and calls of stored functions."""

from __future__ import annotations

import re
import subprocess
import sys
import warnings
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.airflow_home import NEEDS_AIRFLOW
from tests.limits import PATIENCE
from tests.plan import Plan

pytestmark = NEEDS_AIRFLOW
ROOT = Path(__file__).resolve().parents[2]
DAGS = ROOT / "dags"
FILES = sorted(DAGS.glob("*.py"))
OWNERS = {
    "noblestride_integration_pipeline": ["noblestride-team"],
    "recommender_training_pipeline": ["recommendation-team"],
    "viral_learning_flywheel": ["viral-learning-team"],
    "viral_learning_maintenance": ["viral-learning-team"],
}
SQL = ("select ", "insert ", "update ", "delete ", " from headgate")


@pytest.fixture(scope="module")
def bag(airflow_home: Path) -> Any:
    from airflow.dag_processing.dagbag import DagBag

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        bag = DagBag(str(DAGS))
    bag.seen = [
        str(x.message) for x in caught if str(DAGS) in x.filename or "runner/" in x.filename
    ]
    return bag


def test_all_dags_are_imported_without_an_error_or_a_warning(bag: Any):
    assert bag.import_errors == {}
    assert bag.captured_warnings == {} and bag.seen == []
    assert sorted(bag.dags) == [x.stem for x in FILES]


@pytest.mark.parametrize("name", [x.stem for x in FILES])
def test_tasks_and_edges_are_those_of_the_plan(bag: Any, db: Plan, name: str):
    rows = db.sql(
        "select s.step, s.kind, s.depends_on, s.trigger_rule, s.function"
        " from headgate.pipeline_steps as s join headgate.pipelines as p using (pipeline_id)"
        " where p.name = %(name)s",
        name=name,
    )
    planned = {
        x["step"]: (sorted(x["depends_on"]), x["trigger_rule"], x["kind"], x["function"])
        for x in rows
    }
    drawn = {}
    for task in bag.dags[name].tasks:
        is_step = type(task).__name__ == "RunStep"
        kind, function = ("fan_out", None) if is_step else ("function", task.function)
        rule = str(getattr(task.trigger_rule, "value", task.trigger_rule))
        drawn[task.task_id] = (sorted(task.upstream_task_ids), rule, kind, function)
        assert not is_step or task.step == task.task_id
    assert drawn == planned


@pytest.mark.parametrize("name", [x.stem for x in FILES])
def test_a_task_is_tried_again_as_often_and_as_late_as_the_plans_step(
    bag: Any, db: Plan, name: str
):
    rows = db.sql(
        "select s.step, s.retries, s.retry_delay, s.retry_backoff"
        " from headgate.pipeline_steps as s"
        " join headgate.pipelines as p using (pipeline_id)"
        " where p.name = %(name)s and (s.retries > 0 or s.kind = 'fan_out')",
        name=name,
    )

    for row in rows:
        task = bag.dags[name].get_task(row["step"])
        assert task.retries == row["retries"]
        assert not task.retries or task.retry_delay == row["retry_delay"]
        backoff = 0 if row["retry_backoff"] == 1 else row["retry_backoff"]
        assert not task.retries or task.retry_exponential_backoff == backoff


@pytest.mark.parametrize("path", FILES, ids=lambda x: x.stem)
def test_a_dag_is_at_most_60_lines_and_holds_no_sql(path: Path):
    text = path.read_text()
    assert len(text.splitlines()) <= 60
    assert [x for x in SQL if x in text.lower().partition('"""')[2].partition('"""')[2]] == []


def test_the_schedules_are_as_declared(bag: Any):
    said = {x.dag_id: x for x in bag.dags.values()}
    assert all(x.max_active_runs == 1 and not x.catchup for x in said.values())
    schedules = {name: getattr(x.schedule, "timetable", x.schedule) for name, x in said.items()}
    crons = {name: getattr(x, "expression", x) for name, x in schedules.items()}
    assert crons == {
        "FreshPoC_E2E": None,  # by hand only
        "calculate_indicators": "30 4 * * *",
        "data_collection_equities": "30 21 * * *",
        "equities_account": "0 2 * * *",
        "headgate_maintenance": "0 2 * * *",
        "noblestride_integration_pipeline": "0 */6 * * *",
        "notify": "*/15 * * * *",
        "onpoint_changes": "* * * * *",
        "onpoint_data_pipeline": "0 2 * * *",
        "pipeline_monitoring": "*/15 * * * *",
        "recommender_training_pipeline": "0 2 * * *",
        "trading_calendars": "0 3 * * 0",
        "viral_learning_flywheel": "0 */6 * * *",
        "viral_learning_maintenance": "0 2 * * *",
    }


@pytest.mark.parametrize("name", [x.stem for x in FILES])
def test_a_dag_says_what_it_is_for_whose_it_is_and_where_to_read_on(bag: Any, name: str):
    dag = bag.dags[name]
    links = re.findall(r"\]\((docs/[^)#]+)\)", dag.doc_md)

    assert dag.description.endswith(".") and dag.doc_md.startswith(dag.description)
    assert {"docs/operations.md", "docs/airflow-dags.md"} <= set(links)
    assert [x for x in links if not (ROOT / x).exists()] == []
    assert "headgate" in dag.tags and len(dag.tags) > 1
    assert {x.owner for x in dag.tasks} == {"headgate", *OWNERS.get(name, ())}


@pytest.mark.parametrize("name", [x.stem for x in FILES])
def test_a_run_that_fails_or_lasts_too_long_is_reported(bag: Any, name: str):
    dag = bag.dags[name]
    said = [dag.on_failure_callback, dag.on_success_callback]

    assert dag.dagrun_timeout < timedelta(hours=24)
    assert not dag.deadline, "with one, a clearing of 3.3.2 ends in an error"
    assert [type(x).__name__ for x in said] == ["AlertNotifier"] * 2
    assert [x.state for x in said] == ["failed", "success"]


@pytest.mark.parametrize("name", [x.stem for x in FILES])
def test_the_first_task_hands_on_all_parameters_so_that_none_is_passed_over(bag: Any, name: str):
    (first,) = bag.dags[name].roots

    assert first.function == "headgate.start_execution"
    assert first.args["p_params"] == "{{ params | tojson }}"


def test_the_page_names_the_times_after_which_a_run_is_ended(bag: Any):
    page = (ROOT / "docs" / "airflow-dags.md").read_text()

    def words(time: timedelta) -> str:
        hours, minutes = divmod(round(time.total_seconds()) // 60, 60)
        number, unit = (hours, "hour") if hours else (minutes, "minute")
        return f"{number} {unit}{'s' if number > 1 else ''}"

    for name, dag in bag.dags.items():
        assert f"| `{name}` | {words(dag.dagrun_timeout)} |" in page


def test_a_runs_parameters_are_the_plans(bag: Any, db: Plan):
    names = db.sql(
        "select m.name from headgate.pipeline_parameters as m"
        " join headgate.pipelines as p using (pipeline_id)"
        " where p.name = 'data_collection_equities' order by 1"
    )
    assert sorted(bag.dags["data_collection_equities"].params) == [x["name"] for x in names]


def before_each(dags: dict[str, Any]) -> dict[str, list[str]]:
    """Return the pipelines that each DAG comes after, by its schedule's assets."""
    from airflow.sdk import Asset

    from headgate.airflow.dags import DONE

    made = {x.name for dag in dags.values() for task in dag.tasks for x in task.outlets}
    found = {}
    for name, dag in dags.items():
        together = getattr(dag.timetable, "asset_condition", None)
        wanted = [x.name for x in together.objects if isinstance(x, Asset)] if together else []
        wanted = [x for x in wanted if x.endswith(DONE)]
        assert set(wanted) <= made, f"{name} waits for what no DAG makes"
        found[name] = sorted(x.removesuffix(DONE) for x in wanted)
    return found


def test_a_dag_comes_after_those_that_its_pipeline_does(bag: Any, db: Plan):
    rows = db.sql("select pipeline, after from headgate.v_pipelines")
    planned = {x["pipeline"]: sorted(x["after"]) for x in rows if x["pipeline"] in bag.dags}

    assert before_each(bag.dags) == planned


def test_a_plan_s_pipelines_after_others_are_dags_woken_by_their_assets(
    airflow_home: Path, db: Plan
):
    from airflow.sdk import DAG

    from headgate.airflow import CallFunction, after, done

    db.sql("select headgate.begin_plan('chain')")
    for name, before in (("one", "{}"), ("two", "{}"), ("three", "{one,two}")):
        db.sql("select headgate.put_pipeline(%(n)s, after => %(b)s::text[])", n=name, b=before)
    db.sql("select headgate.end_plan()")
    rows = db.sql(
        "select name, after from headgate.pipelines where name in ('one', 'two', 'three')"
    )
    dags = {}
    for row in rows:
        schedule = after(*row["after"]) or None
        with DAG(row["name"], schedule=schedule) as dags[row["name"]]:
            CallFunction(
                task_id="finalize_execution",
                function="headgate.finalize_execution",
                outlets=[done(row["name"])],
            )

    assert before_each(dags) == {x["name"]: sorted(x["after"]) for x in rows}
    dags["two"].tasks[0].outlets.clear()
    with pytest.raises(AssertionError, match="three waits for what no DAG makes"):
        before_each(dags)


def test_the_monitoring_of_a_stopped_database_answers_that_it_is_unhealthy(
    bag: Any, monkeypatch: pytest.MonkeyPatch
):
    from headgate.airflow.calls import ServerAway

    monkeypatch.setenv("AIRFLOW_CONN_HEADGATE", '{"conn_type": "postgres", "host": "/nowhere"}')
    answers: dict[str, Any] = {}
    run = SimpleNamespace(
        dag_id="pipeline_monitoring", run_id="r1", run_after=datetime(2026, 11, 29, tzinfo=UTC)
    )
    context: Any = {"dag_run": run, "ti": SimpleNamespace(xcom_push=answers.__setitem__)}
    task = bag.dags["pipeline_monitoring"].get_task("pipeline_health_check")
    task.render_template_fields(context)
    with pytest.raises(ServerAway, match="does the server run"):
        task.execute(context)

    assert answers == {
        "return_value": {
            "overall_status": "UNHEALTHY",
            "failed_checks": ["database_connectivity"],
            "detailed_results": {"database_connectivity": {"status": "FAILED"}},
            "timestamp": "2026-11-29T00:00:00+00:00",
        }
    }


def test_dags_are_imported_while_postgres_is_down(airflow_home: Path):
    code = "from airflow.dag_processing.dagbag import DagBag as B; b = B('dags'); "
    code += "print(len(b.dags), b.import_errors)"
    nowhere = '{"conn_type": "postgres", "host": "/nowhere", "schema": "nothing"}'
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={
            "PATH": "",
            "AIRFLOW_HOME": str(airflow_home),
            "AIRFLOW_CONN_HEADGATE": nowhere,
            "HEADGATE_DSN": "postgresql://nobody@127.0.0.1:1/nothing",
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        },
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.stdout.splitlines()[-1] == f"{len(FILES)} {{}}", done.stderr


def test_ruff_finds_nothing_old_of_airflow_in_them():
    done = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--select=AIR", "--preview", "dags", "runner"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout

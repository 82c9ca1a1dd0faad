"""Common parts of DAGs: parameters, texts, links, alerts, events. Needs Airflow."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from headgate.airflow.settings import connection_of
from headgate.settings import Settings
from tests.airflow_home import NEEDS_AIRFLOW
from tests.plan import Plan
from tests.servers import DB

pytestmark = NEEDS_AIRFLOW
DAGS = DB.parent / "dags"
PIPELINE = "data_collection_equities"
OPEN = "select subject, message from headgate.v_alerts where resolved_at is null order by 1"


@pytest.fixture(autouse=True)
def _alone(airflow_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Import Airflow with a home of its own, without the user's settings."""
    for name in ("HEADGATE_DAGS", "HEADGATE_DOCS_URL", "HEADGATE_POOL", "HEADGATE_REPORTS_URL"):
        monkeypatch.delenv(name, raising=False)


def params(pipeline: str = PIPELINE, folder: Path = DAGS) -> Any:
    from headgate.airflow.params import known_of, params_of

    known = known_of(pipeline, beside=str(folder / "a_dag.py"))
    return params_of(known) if known else None


# -------------------------------------------------------------------------- parameters


def test_every_parameter_has_a_title_and_says_what_it_does_and_what_empty_means():
    found = params()

    assert list(found)[:3] == ["mode", "exchanges", "tickers"]
    assert all(x.schema["title"] and x.description for x in found.values())
    assert found["max_new_assets_per_day"].description.endswith("Empty: 8000.")


def test_names_of_groups_are_a_pick_list_and_no_other_name_is_taken():
    from airflow.sdk.exceptions import ParamValidationError

    known = params()["exchanges"]
    assert known.schema["examples"] == known.schema["items"]["enum"]
    for good in (None, [], ["US", "NASDAQ"]):
        assert known.resolve(good) == good
    for bad in (["NYS"], "US", 5):
        with pytest.raises(ParamValidationError):
            known.resolve(bad)


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("mode", ["auto", "bulk"], ["slow", None, 1]),
        ("tickers", [None, [], ["AAPL.US"]], ["AAPL.US", [1]]),
        ("eodhd_daily_quota", [None, 0, 999_999_999], [-1, 1_000_000_000, "5", 1.5]),
    ],
)
def test_a_value_that_the_plan_would_refuse_is_refused(name: str, good: list[Any], bad: list[Any]):
    from airflow.sdk.exceptions import ParamValidationError

    for value in good:
        assert params()[name].resolve(value) == value
    for value in bad:
        with pytest.raises(ParamValidationError):
            params()[name].resolve(value)


def test_where_no_file_knows_the_pipeline_there_are_no_parameters(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    assert params(folder=tmp_path) is None
    assert params("of_another") is None
    monkeypatch.setenv("HEADGATE_DAGS", str(DAGS))
    assert params(folder=tmp_path) is not None


def test_a_dag_without_the_file_is_there_and_says_what_it_lacks(tmp_path: Path):
    from airflow.dag_processing.dagbag import DagBag

    name = f"{PIPELINE}.py"
    (tmp_path / name).write_text((DAGS / name).read_text())
    bag = DagBag(str(tmp_path))
    dag = bag.dags[PIPELINE]

    assert bag.import_errors == {} and not dag.params
    assert "any parameter" in dag.tags and "headgate airflow params" in dag.doc_md


def test_tasks_wait_for_a_pool_only_where_one_is_named(monkeypatch: pytest.MonkeyPatch):
    from airflow.dag_processing.dagbag import DagBag

    def pools() -> set[str]:
        return {y.pool for x in DagBag(str(DAGS)).dags.values() for y in x.tasks}

    assert pools() == {"default_pool"}
    monkeypatch.setenv("HEADGATE_POOL", "headgate")
    assert pools() == {"headgate"}


# ------------------------------------------------------------------------------- links


@pytest.mark.parametrize(
    ("base", "link"),
    [
        (None, "docs/airflow-dags.md#reports"),
        ("https://reports.example/h/", "https://reports.example/h/a%20b_c%2B1.html"),
    ],
)
def test_a_task_links_to_its_runs_report_or_to_how_one_is_published(
    monkeypatch: pytest.MonkeyPatch, base: str | None, link: str
):
    from headgate.airflow import CallFunction, RunStep

    if base:
        monkeypatch.setenv("HEADGATE_REPORTS_URL", base)
    for task in (CallFunction(task_id="a", function="a.b"), RunStep(task_id="b")):
        (known,) = task.operator_extra_links
        assert known.get_link(task, ti_key=SimpleNamespace(run_id="a b/c+1")) == link


def test_the_plugin_is_found_by_its_entry_point_and_is_valid():
    import tomllib

    from headgate.airflow.plugin import HeadgatePlugin

    project = tomllib.loads((DB.parent / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["airflow.plugins"] == {
        "headgate": f"{HeadgatePlugin.__module__}:{HeadgatePlugin.__qualname__}"
    }
    HeadgatePlugin.validate()


@pytest.mark.parametrize("is_installed", [False, True])
def test_openlineage_is_reported_the_call_where_its_provider_is(
    monkeypatch: pytest.MonkeyPatch, is_installed: bool
):
    from headgate.airflow import CallFunction, RunStep

    monkeypatch.setenv("AIRFLOW_CONN_HEADGATE", '{"conn_type": "postgres"}')
    name = "airflow.providers.openlineage.extractors"
    lineage = SimpleNamespace(OperatorLineage=SimpleNamespace)
    monkeypatch.setitem(sys.modules, name, lineage if is_installed else None)
    facets = "airflow.providers.common.compat.openlineage.facet"
    monkeypatch.setitem(sys.modules, facets, SimpleNamespace(SQLJobFacet=SimpleNamespace))
    instance = SimpleNamespace(dag_id="d", run_id="it's one")
    tasks = (CallFunction(task_id="a", function="x.y"), RunStep(task_id="b", step="c"))
    told = [x.get_openlineage_facets_on_complete(instance) for x in tasks]

    if not is_installed:
        assert told == [None, None]
        return
    assert [x.job_facets["sql"].query for x in told] == [
        "select * from x.y(p_pipeline => 'd', p_run_id => 'it''s one')",
        "select * from headgate.enqueue_step(p_pipeline => 'd', p_run_id => 'it''s one', p_step => 'c')",
    ]


# ------------------------------------------------------------------------------ alerts


@pytest.fixture
def told(database: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Any]]:
    """Return a notifier of this database; the run's failed task is `load`."""
    from headgate.airflow.notifier import AlertNotifier

    monkeypatch.setenv("AIRFLOW_CONN_HEADGATE", connection_of(database))
    states = {"r1": {"load": "failed", "publish": "upstream_failed", "start": "success"}}
    monkeypatch.setattr(
        "airflow.sdk.execution_time.task_runner.RuntimeTaskInstance.get_task_states",
        lambda *_, **__: states,
    )
    yield lambda state: AlertNotifier(state=state)


def context_of(run: str) -> dict[str, Any]:
    """Return a context like the DAG processor's if there is no task to report."""
    return {"dag": SimpleNamespace(dag_id="nightly"), "run_id": run, "reason": "task_failure"}


def test_a_failed_run_is_an_alert_until_one_succeeds(told: Callable[[str], Any], plan: Plan):
    told("failed").notify(context_of("r1"))
    (alert,) = plan.sql(OPEN)
    assert alert["subject"] == "DAG nightly"
    assert alert["message"].startswith("run r1 has failed: load;")

    told("success").notify({"dag_run": SimpleNamespace(dag_id="nightly", run_id="r2")})
    assert plan.sql(OPEN) == []


def test_a_late_run_is_reported_from_the_triggerer(told: Callable[[str], Any], plan: Plan):
    notifier = told("late")
    notifier.context = {"dag_run": {"dag_id": "nightly", "dag_run_id": "r1"}}

    async def tell() -> None:
        await notifier

    asyncio.run(tell())
    assert [x["subject"] for x in plan.sql(OPEN)] == ["DAG nightly is late"]


# ------------------------------------------------------------------------------ events


def group(key: str, universe: str = "equities", last: str | None = "2026-01-02") -> dict[str, Any]:
    return {
        "execution_id": 7, "universe": universe, "group_key": key, "succeeded": 3, "records": 5,
        "first_session": last and "2026-01-01", "last_session": last,
    }  # fmt: skip


class Event:
    """A double of Airflow's collected outlet event."""

    def __init__(self) -> None:
        self.extra: dict[str, Any] = {}
        self.added: list[tuple[str, dict[str, Any]]] = []

    def add(self, asset: Any, extra: dict[str, Any]) -> None:
        self.added.append((asset.name, extra))


def test_an_event_tells_counts_sessions_and_execution_and_an_alias_each_exchange():
    from airflow.sdk import Asset, AssetAlias

    from headgate.airflow.events import tell_outlets

    outlets = [Asset("equities/prices"), AssetAlias("equities/prices")]
    events = [Event(), Event()]
    groups = [group("LSE"), group("US", last="2026-01-03"), group("US", "equities_exchanges", None)]
    tell_outlets(outlets, dict(zip(outlets, events, strict=True)), {"planned": 9}, groups)

    assert events[0].extra == {
        "planned": 9, "execution_id": 7, "groups": ["LSE", "US"], "records": 15,
        "first_session": "2026-01-01", "last_session": "2026-01-03",
    }  # fmt: skip
    assert [x for x, _ in events[1].added] == ["equities/prices/LSE", "equities/prices/US"]


def test_a_run_that_brought_nothing_wakes_nobody_by_an_alias():
    from airflow.sdk import Asset, AssetAlias

    from headgate.airflow.events import tell_outlets

    outlets = [Asset("equities/prices"), AssetAlias("equities/prices")]
    events = [Event(), Event()]
    tell_outlets(outlets, dict(zip(outlets, events, strict=True)), {"planned": 0}, [])

    assert (events[0].extra, events[1].added) == ({"planned": 0}, [])


def test_a_note_is_for_runs_that_have_not_done_all():
    from headgate.airflow.events import note_of

    row = {"planned": 15458, "succeeded": 479, "failed": 0, "deferred": 14979, "units": 479}
    assert note_of(row) == (
        "479 of 15,458 jobs succeeded, 14,979 were put off (headgate.v_deferrals says why); 479 units"
    )
    assert note_of(row | {"deferred": 0}) is None


# ------------------------------------------------------------------------------- guard

Sent = list[MutableMapping[str, Any]]


def ask(path: str, given: Any, *, dag: dict[str, Any] | None) -> tuple[int, str, list[bytes]]:
    """Send a request through the guard; return the answer, and the request that was passed on."""
    from headgate.airflow.guard import ParameterGuard

    passed: list[bytes] = []

    async def app(scope: Any, receive: Callable[[], Awaitable[Any]], send: Any) -> None:
        if scope["method"] == "GET":
            assert scope["path"] == "/api/v2/dags/a_dag/details"
            body, status = json.dumps(dag or {}).encode(), 200 if dag else 403
        else:
            first = await receive()
            rest = await receive() if first.get("more_body") else {}
            passed.append(first["body"] + rest.get("body", b""))
            body, status = b"{}", 200
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": body})

    async def run() -> Sent:
        sent: Sent = []
        text = given if isinstance(given, bytes) else json.dumps(given).encode()
        parts = iter([(text[:5], True), (text[5:], False)])

        async def receive() -> dict[str, Any]:
            body, more = next(parts)
            return {"type": "http.request", "body": body, "more_body": more}

        async def send(message: MutableMapping[str, Any]) -> None:
            sent.append(message)

        scope = {"type": "http", "method": "POST", "path": path, "headers": []}
        await ParameterGuard(app)(scope, receive, send)
        return sent

    sent = asyncio.run(run())
    return sent[0]["status"], sent[1]["body"].decode(), passed


OURS = {
    "dag_id": "a_dag",
    "tags": [{"name": "headgate"}],
    "params": {"mode": {}, "tickers": {}},
}
RUNS = "/api/v2/dags/a_dag/dagRuns"


@pytest.mark.parametrize(
    ("path", "given"),
    [
        (RUNS, {"conf": {"mode": "auto", "ticker": ["A"]}}),
        ("/api/v2/backfills", {"dag_id": "a_dag", "dag_run_conf": {"ticker": 1}}),
    ],
)
def test_a_parameter_that_a_dag_does_not_have_is_refused_by_its_name(path: str, given: Any):
    status, text, passed = ask(path, given, dag=OURS)

    assert (status, passed) == (400, [])
    assert (
        json.loads(text)["detail"] == "DAG a_dag has no parameter 'ticker'; did you mean tickers?"
    )


@pytest.mark.parametrize("path", ["/api/v2/backfills", "/api/v2/backfills/dry_run"])
def test_a_back_fill_of_a_plan_that_knows_no_dates_is_refused(path: str):
    given = {"dag_id": "a_dag", "from_date": "2026-01-01", "to_date": "2026-01-31"}
    dateless = OURS | {"tags": [*OURS["tags"], {"name": "no back-fill"}]}
    status, text, passed = ask(path, given, dag=dateless)

    assert (status, passed) == (400, [])
    assert "pipeline a_dag has no request that names a date" in json.loads(text)["detail"]
    assert ask(path, given, dag=OURS)[0] == 200
    assert ask(RUNS, {"conf": {"mode": "auto"}}, dag=dateless)[0] == 200


@pytest.mark.parametrize(
    ("given", "dag"),
    [
        ({"conf": {"mode": "auto"}}, OURS),
        ({"conf": {}}, OURS),
        ({"conf": ["ticker"]}, OURS),
        (b'{"conf": ', OURS),
        ({"conf": {"ticker": 1}}, None),
        ({"conf": {"ticker": 1}}, OURS | {"tags": []}),
        ({"conf": {"ticker": 1}}, OURS | {"tags": [*OURS["tags"], {"name": "any parameter"}]}),
    ],
)
def test_parameters_and_dates_that_fit_are_handed_on_as_they_are(
    given: Any, dag: dict[str, Any] | None
):
    status, _, passed = ask(RUNS, given, dag=dag)

    text = given if isinstance(given, bytes) else json.dumps(given).encode()
    assert (status, passed) == (200, [text])

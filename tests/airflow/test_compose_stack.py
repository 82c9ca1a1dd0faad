"""Every service of docker-compose.yaml as a process, in compose's order, with its own role.

PostgreSQL is Debian's 15 over TCP, where every role needs a password. `make test/airflow-long`.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import psycopg
import pytest
from psycopg.rows import dict_row

from tests.acceptance.system import PIPELINE
from tests.airflow.compose import ROOT, Composed, composed, example_names, text_with
from tests.airflow.pages import views_of_run
from tests.airflow_home import NEEDS_AIRFLOW
from tests.browser import CHROMIUM
from tests.limits import PATIENCE, wait_until
from tests.servers import debian_over_tcp, free_port, has_debian

pytestmark = [
    NEEDS_AIRFLOW,
    pytest.mark.skipif(
        not has_debian("15"), reason="PostgreSQL 15 is not installed (Debian's postgresql-15)"
    ),
]
PICTURES = os.environ.get("HEADGATE_PICTURES")
LARGEST = 300_000
ROLES = ("headgate_planner", "headgate_runner", "airflow")


@dataclass(frozen=True)
class Place:
    """Addresses of all services."""

    values: dict[str, str]
    composed: Composed

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.values['AIRFLOW_PORT']}"

    def connect(self, role: str, database: str = "headgate") -> psycopg.Connection[Any]:
        """Log in as a service does."""
        name = "POSTGRES" if role == "postgres" else role.removeprefix("headgate_").upper()
        name = f"{name}_PASSWORD" if role == "postgres" else f"HEADGATE_{name}_PASSWORD"
        return psycopg.connect(
            host="127.0.0.1",
            port=int(self.values["POSTGRES_PORT"]),
            user=role,
            password=self.values[name],
            dbname=database,
            autocommit=True,
            row_factory=dict_row,
        )

    def rows(self, query: Any, *values: Any, role: str = "headgate_reader") -> list[Any]:
        with self.connect(role) as connection:
            return connection.execute(query, values).fetchall()

    def token(self) -> str:
        given = {"username": "admin", "password": self.values["HEADGATE_ADMIN_PASSWORD"]}
        answer = httpx2.post(f"{self.url}/auth/token", json=given, timeout=PATIENCE)
        return str(answer.raise_for_status().json()["access_token"])

    def api(self, method: str, path: str, given: Any = None) -> Any:
        answer = httpx2.request(
            method,
            f"{self.url}/api/v2/{path}",
            json=given,
            headers={"Authorization": f"Bearer {self.token()}"},
            timeout=PATIENCE,
        )
        return answer.raise_for_status().json()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("compose")
    postgres, airflow, standin = free_port(), free_port(), free_port()
    values = {name: f"word{n}" * 16 for n, name in enumerate(example_names())}
    values |= {"AIRFLOW_PORT": str(airflow), "POSTGRES_PORT": str(postgres)}
    values["EODHD_BASE_URL"] = f"http://127.0.0.1:{standin}/api"
    replaced = {
        "@postgres/": f"@127.0.0.1:{postgres}/",
        '"host": "postgres"': f'"host": "127.0.0.1", "port": {postgres}',
        "http://api-server:8080": f"http://127.0.0.1:{airflow}",
        '--port, "8080"': f'--port, "{airflow}"',
        "8099": str(standin),
        "0.0.0.0": "127.0.0.1",
        "/var/lib/airflow": str(folder),
        "/opt/headgate/dags": str(ROOT / "dags"),
    }
    with debian_over_tcp("15", postgres, values["POSTGRES_PASSWORD"]):
        scale = {"runner": 2}
        with composed(text_with(values), replaced, folder, scale) as running:
            yield Place(values, running)


@pytest.fixture(scope="module")
def finished(place: Place) -> str:
    """Unpause the DAG, and let its first scheduled run end; return the run's name."""
    changes = '{"quota": 2205, "buffer": 0}'
    query = "select * from headgate.set_provider(p_provider => 'eodhd', p_changes => %s::jsonb)"
    place.rows(query, changes, role="headgate_planner")
    place.api("PATCH", f"dags/{PIPELINE}", {"is_paused": False})

    def ended() -> list[str]:
        found = place.api("GET", f"dags/{PIPELINE}/dagRuns")["dag_runs"]
        return [x["dag_run_id"] for x in found if x["state"] in ("success", "failed")]

    wait_until(ended, "a finished run")
    return ended()[0]


def test_all_services_run_and_are_healthy(place: Place):
    expected = {"standin", "api-server", "dag-processor", "triggerer", "scheduler", "runner"}
    assert set(place.composed.running()) == expected
    assert len(place.composed.running()["runner"]) == 2
    health = httpx2.get(f"{place.url}/api/v2/monitor/health", timeout=PATIENCE).json()
    assert {x["status"] for x in health.values()} == {"healthy"}
    assert place.api("GET", "importErrors")["import_errors"] == []


def test_a_scheduled_run_ends_green_with_both_runners_at_work(place: Place, finished: str):
    tasks = place.api("GET", f"dags/{PIPELINE}/dagRuns/{finished}/taskInstances")
    assert {x["state"] for x in tasks["task_instances"]} == {"success"}
    (row,) = place.rows(
        "select status, planned, succeeded, units from headgate.v_recent_executions"
        " where run_id = %s",
        finished,
    )
    assert (row["status"], row["units"]) == ("succeeded", 2200)
    assert row["planned"] == row["succeeded"] == 400


def test_no_service_is_a_superuser_and_each_has_its_own_role(place: Place, finished: str):
    found = place.rows(
        "select distinct a.usename as role, r.rolsuper as is_super, a.datname as database"
        " from pg_stat_activity as a join pg_roles as r on r.oid = a.usesysid"
        " where a.backend_type = 'client backend' and a.pid <> pg_backend_pid()",
        role="postgres",
    )
    assert [x for x in found if x["is_super"]] == []
    pairs = {(x["role"], x["database"]) for x in found}
    assert {("airflow", "airflow"), ("headgate_runner", "headgate")} <= pairs
    assert ("headgate_planner", "headgate") in pairs
    assert {role for role, database in pairs if database == "airflow"} == {"airflow"}


@pytest.mark.parametrize(
    ("role", "database", "query"),
    [
        ("airflow", "headgate", "select * from headgate.v_quota"),
        ("headgate_runner", "airflow", "select 1"),
        ("headgate_planner", "airflow", "select 1"),
        ("headgate_planner", "headgate", "select * from headgate.providers"),
        ("headgate_runner", "headgate", "select * from headgate.run_pipeline('a_pipeline')"),
        ("headgate_reader", "headgate", "select * from headgate.pause_pipeline('a_pipeline')"),
    ],
)
def test_a_role_can_do_no_more_than_its_service_needs(
    place: Place, role: str, database: str, query: str
):
    with pytest.raises(psycopg.Error, match="permission denied"):
        with place.connect(role, database) as connection:
            connection.execute(query)


def test_a_wrong_password_is_refused(place: Place):
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(
            host="127.0.0.1",
            port=int(place.values["POSTGRES_PORT"]),
            user="headgate_planner",
            password="guess",
            dbname="headgate",
        )
    given = {"username": "admin", "password": "guess"}
    assert httpx2.post(f"{place.url}/auth/token", json=given, timeout=PATIENCE).status_code == 401


def test_an_order_by_the_planners_role_becomes_a_run(place: Place, finished: str):
    (order,) = place.rows(
        "select order_id from headgate.trigger_pipeline('data_collection_equities',"
        """ '{"tickers": ["AAPL.US"], "mode": "bulk"}')""",
        role="headgate_planner",
    )

    def run() -> list[Any]:
        return place.rows(
            "select e.status from headgate.orders as o"
            " join headgate.process_executions as e using (execution_id)"
            " where o.order_id = %s and e.finished_at is not null",
            order["order_id"],
            role="postgres",
        )

    wait_until(run, "the order's run")
    assert [x["status"] for x in run()] == ["succeeded"]


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed (Debian's chromium)")
def test_the_page_of_a_finished_run_shows_its_grid_and_its_graph(
    place: Place, finished: str, tmp_path: Path
):
    tasks = place.api("GET", f"dags/{PIPELINE}/dagRuns/{finished}/taskInstances")
    names = [x["task_id"] for x in tasks["task_instances"]]
    views = asyncio.run(
        asyncio.wait_for(
            views_of_run(place.url, place.token(), PIPELINE, finished, names), PATIENCE
        )
    )

    folder = Path(PICTURES) if PICTURES else tmp_path
    for view, (text, picture) in views.items():
        assert "Success" in text and "Failed" not in text, text
        assert 20_000 < len(picture) < LARGEST
        (folder / f"airflow-{view}.png").write_bytes(picture)
    assert views["grid"][1] != views["graph"][1]


def test_all_of_them_end_when_asked(place: Place):
    assert place.composed.down() == []

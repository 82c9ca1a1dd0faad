"""Two Airflows, each with its own metadata database, on one database of Headgate, over TLS with its own CA."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import pytest
from psycopg.conninfo import conninfo_to_dict

from headgate.airflow.settings import PLANNER
from headgate.database import connect
from headgate.demo.eodhd import Options, spawn
from headgate.migrate.logins import set_password
from headgate.settings import Settings
from tests import airflow_home
from tests.acceptance.system import System, killed_at_the_end
from tests.airflow_home import NEEDS_AIRFLOW
from tests.limits import PATIENCE
from tests.plan import Row
from tests.servers import DB, debian_over_tcp, free_port, has_debian, migrated
from tests.tls import Authority

VERSION = "15"
pytestmark = [
    NEEDS_AIRFLOW,
    pytest.mark.skipif(not has_debian(VERSION), reason="the embedded PostgreSQL has no TLS"),
]
trustme = pytest.importorskip("trustme", reason="comes with Airflow's tests")

DAGS = Path(__file__).parent / "dags"
PASSWORD = "correct horse"
RUNS = """
import os, sys
from datetime import datetime
from airflow.dag_processing.dagbag import DagBag

for os.environ["CALENDARS_DAG"], at in zip(sys.argv[2::2], map(datetime.fromisoformat, sys.argv[3::2])):
    ((name, dag),) = DagBag(sys.argv[1]).dags.items()
    run = dag.test(logical_date=at, run_after=at)
    print(name, run.run_id, run.state, sep="|")
"""


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(trustme.CA(), tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def system(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """Run a server that speaks TLS and requires the planner's password, and a runner."""
    folder, port = tmp_path_factory.mktemp("internal"), free_port()
    certificate = authority.pem("127.0.0.1")
    with (
        debian_over_tcp(VERSION, port, PASSWORD, certificate),
        spawn(Options(quota=None)) as standin,
    ):
        dsn = f"postgresql://postgres:{quote(PASSWORD)}@127.0.0.1:{port}/postgres"
        settings = Settings(dsn=dsn, database="headgate", home=folder, db=DB)
        migrated(settings)
        with connect(settings, "test") as connection:
            set_password(connection, PLANNER, PASSWORD)
        with killed_at_the_end(System(settings, standin, folder)) as system:
            system.worker()
            yield system


def connection(system: System, deployment: str, authority: Authority) -> Row:
    """Return an Airflow connection to the server."""
    given = conninfo_to_dict(str(system.settings.dsn))
    ca = str(authority.file())
    return {
        "conn_type": "postgres",
        "host": given["host"],
        "port": int(str(given["port"])),
        "login": PLANNER,
        "password": PASSWORD,
        "schema": system.settings.database,
        "extra": {"deployment": deployment, "sslmode": "verify-full", "sslrootcert": ca},
    }


def dag_runs(
    system: System, authority: Authority, home: Path, *runs: tuple[str, datetime]
) -> list[tuple[str, str]]:
    """Let the Airflow of a folder, which has its name, run DAGs for dates; return each run's name and its state."""
    given = connection(system, home.name, authority)
    dags = authority.folder / "dags"
    dags.mkdir(exist_ok=True)
    shutil.copy(DAGS / "renamed.py", dags)
    asked = [x for dag, at in runs for x in (dag, at.isoformat())]
    done = subprocess.run(
        [sys.executable, "-c", RUNS, str(dags), *asked],
        env=os.environ
        | airflow_home.environ(home)
        | {"AIRFLOW__CORE__DAGS_FOLDER": str(dags)}
        | {"AIRFLOW_CONN_HEADGATE": json.dumps(given)},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    said = [x.split("|") for x in done.stdout.splitlines() if x.count("|") == 2]
    assert [x[0] for x in said] == [dag for dag, _ in runs], done.stdout
    return [(run, state) for _, run, state in said]


@pytest.fixture
def homes(authority: Authority, airflow_database: Path) -> list[Path]:
    """Return the folders of two Airflows, each with a database of its own."""
    folders = [authority.folder / name for name in ("blue", "green")]
    for folder in folders:
        folder.mkdir()
        shutil.copy(airflow_database, folder)
    return folders


def test_the_same_run_of_two_airflows_is_two_and_a_dag_may_change_its_name(
    system: System, authority: Authority, homes: list[Path]
):
    at, later = (datetime.now(UTC) - timedelta(minutes=x) for x in (2, 1))
    by_night, by_day = ("calendars_by_night", at), ("calendars_by_day", later)
    blue, renamed = dag_runs(system, authority, homes[0], by_night, by_day)
    (green,) = dag_runs(system, authority, homes[1], by_night)

    assert blue == green and blue[1] == renamed[1] == "success"
    rows = system.plan.sql(
        "select run_id, status from headgate.v_recent_executions order by started_at"
    )
    assert [tuple(x.values()) for x in rows] == [
        (f"blue/{blue[0]}", "succeeded"),
        (f"blue/{renamed[0]}", "succeeded"),
        (f"green/{blue[0]}", "succeeded"),
    ]
    dags = system.plan.sql("select deployment, dag from headgate.v_dags")
    assert [tuple(x.values()) for x in dags] == [
        ("blue", "calendars_by_day"),
        ("blue", "calendars_by_night"),
        ("green", "calendars_by_night"),
    ]


def test_a_server_whose_certificate_is_not_the_cas_is_refused_for_good(
    system: System, authority: Authority, monkeypatch: pytest.MonkeyPatch
):
    from airflow.sdk.exceptions import AirflowFailException

    from headgate.airflow.calls import connect as connect_as_airflow

    strange = Authority(trustme.CA(), authority.folder)
    given = connection(system, "blue", strange)
    monkeypatch.setenv("AIRFLOW_CONN_HEADGATE", json.dumps(given))

    with pytest.raises(AirflowFailException, match=r"certificate.*sslrootcert"):
        connect_as_airflow("headgate")

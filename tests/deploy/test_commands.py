"""What the manifests start runs: each command as a process, in their order, with their own environment and role.

PostgreSQL asks every role for its password; all but the migration go through PgBouncer, which may give each
transaction another of its sessions.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, LiteralString

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import dict_row

from headgate.database import connect
from headgate.demo.eodhd import Process
from headgate.migrate.logins import set_password
from headgate.settings import Settings
from tests import clock
from tests.conftest import TEMPLATE, seed_of
from tests.deploy.manifests import (
    NEEDS_KUBECTL,
    OVERLAYS,
    Processes,
    built,
    one_of,
    pods_of,
)
from tests.limits import PATIENCE, wait_until
from tests.servers import NEEDS_POOLER, embedded_server, free_port, pooler_over_tcp

pytestmark = [NEEDS_KUBECTL, NEEDS_POOLER]
PASSWORD = "demo"
ROLES = ("headgate_planner", "headgate_reader", "headgate_runner")
SERVERS = ("headgate-standin", "headgate-web", "headgate-runner")
PROBES = {"startupProbe", "livenessProbe", "readinessProbe"}
FEW, JOBS = '{"quota": 1105, "buffer": 0}', 200
"""Units for these many jobs: more than one runner holds at once."""
SET_PROVIDER: LiteralString = "select * from headgate.set_provider('eodhd', %s::jsonb)"
RUNS: LiteralString = (
    "select pipeline, status, planned, succeeded from headgate.v_recent_executions"
    " order by started_at"
)
SESSIONS: LiteralString = (
    "select distinct usename::text from pg_stat_activity"
    " where datname = 'headgate' and usename is not null"
)


@pytest.fixture
def demo(seed_data: Path, tmp_path: Path) -> Iterator[Processes]:
    """Run the demo's PostgreSQL, with a pooler before it; its pods start when a test says so."""
    (tmp_path / "health").mkdir()
    server, pooler, standin, web = (str(free_port()) for _ in range(4))
    local = {
        "@headgate-postgres/": f"@127.0.0.1:{pooler}/",
        "headgate-standin:8099": f"127.0.0.1:{standin}",
        "0.0.0.0": "127.0.0.1",
        "8099": standin,
        "8600": web,
        "/run/headgate": str(tmp_path / "health"),
        "/tmp/headgate": str(tmp_path / "home"),
    }
    objects = built(OVERLAYS / "demo")
    replaced = dict.fromkeys(pods_of(objects), local)
    replaced["headgate-migrate"] = local | {"@headgate-postgres/": f"@127.0.0.1:{server}/"}
    seed = seed_of(seed_data)
    with (
        embedded_server(seed=seed, port=int(server)) as postgres,
        pooler_over_tcp(int(server), int(pooler), dict.fromkeys(ROLES, PASSWORD)),
    ):
        _prepare(postgres, is_migrated=seed is not None)
        processes = Processes(objects, replaced, tmp_path)
        try:
            yield processes
        finally:
            processes.kill()


def _prepare(postgres: Settings, *, is_migrated: bool) -> None:
    """Give the superuser its password; take the tests' template where there is one, to be fast."""
    with connect(postgres, "test") as connection:
        set_password(connection, "postgres", PASSWORD)
        if is_migrated:
            copy = sql.SQL("create database headgate template {} strategy file_copy")
            connection.execute(copy.format(sql.Identifier(TEMPLATE)))
            connection.execute(clock.moved("headgate"))


def test_each_command_does_its_work_and_a_run_outlives_its_runner(demo: Processes):
    production = built(OVERLAYS / "production")
    autoscaler = one_of(production, "ScaledObject")["spec"]
    monitor = one_of(production, "ServiceMonitor")["spec"]
    demo.run("headgate-migrate")
    for workload in SERVERS:
        demo.start(workload)
    for workload in SERVERS:
        for probe in PROBES & demo.container(workload).keys():
            demo.wait_until(workload, probe)
    standin = Process(f"http://127.0.0.1:{demo.port('headgate-standin', 'http')}", "demo", 0)
    standin.set_faults([{"match": {"after": 50}, "fault": "hold"}])
    ask(demo, "headgate-equities", SET_PROVIDER, FEW)

    run = demo.start("headgate-equities")
    wait_until(lambda: standin.ledger()["requests"] > 50, "a call that is held")
    runner = demo.terminate("headgate-runner")
    wait_until(lambda: "stopping" in demo.said("headgate-runner"), "the end of the first runner")
    standin.set_faults([])
    assert runner.wait(PATIENCE) == 0, demo.said("headgate-runner")
    assert not demo.passes("headgate-runner", "readinessProbe")
    assert run.poll() is None
    (row,) = ask(demo, "headgate-web", autoscaler["triggers"][0]["metadata"]["query"])
    assert row["wanted"] > 0

    demo.start("headgate-runner", 2)
    demo.wait_until("headgate-runner", "readinessProbe", 2)
    assert run.wait(PATIENCE) == 0, demo.said("headgate-equities")
    demo.run("headgate-maintenance")
    equities, maintenance = ask(demo, "headgate-web", RUNS)
    assert equities["status"] == maintenance["status"] == "succeeded"
    assert equities["planned"] == equities["succeeded"] == standin.ledger()["requests"] == JOBS

    assert "headgate_jobs_total" in demo.get("headgate-web", monitor["endpoints"][0]["path"]).text
    assert {x["usename"] for x in ask(demo, "headgate-web", SESSIONS)} == set(ROLES)
    for workload, number in (("headgate-runner", 2), ("headgate-web", 1), ("headgate-standin", 1)):
        assert demo.terminate(workload, number).wait(PATIENCE) == 0, demo.said(workload, number)
    assert demo.started == set(pods_of(demo.objects)) - {"headgate-postgres"}


def test_the_demo_has_every_command_of_the_other_overlays():
    of_demo = pods_of(built(OVERLAYS / "demo"))
    for overlay in OVERLAYS.iterdir():
        for name, pod in pods_of(built(overlay)).items():
            for ours, theirs in zip(of_demo[name]["containers"], pod["containers"], strict=True):
                given = theirs.get("args", ())
                assert ours.get("args", ())[: len(given)] == given, f"{overlay.name}: {name}"


def ask(demo: Processes, workload: str, query: LiteralString, *values: object) -> list[Any]:
    """Ask as a workload's role does."""
    dsn = demo.environ(workload)["HEADGATE_DSN"]
    with psycopg.connect(dsn, autocommit=True, row_factory=dict_row) as connection:
        return connection.execute(query, values).fetchall()

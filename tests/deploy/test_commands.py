"""What the manifests start runs: each command as a process, in their order, with their own environment and role.

PostgreSQL asks every role for its password. All but the migration go through PgBouncer, which may give each transaction
another of its sessions; with CloudNativePG's addresses only those do that may. Where the tests run as root, a process
writes where its pod may write, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, LiteralString

import psycopg
import pytest
import trustme
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
    secret,
    with_secrets,
)
from tests.limits import PATIENCE, wait_until
from tests.servers import NEEDS_POOLER, embedded_server, free_port, pooler_over_tcp
from tests.tls import Authority

pytestmark = NEEDS_KUBECTL
PASSWORD = "demo"
ROLES = ("headgate_planner", "headgate_reader", "headgate_runner")
SERVERS = ("headgate-standin", "headgate-web", "headgate-runner")
PROBES = {"startupProbe", "livenessProbe", "readinessProbe"}
FEW, JOBS = '{"quota": 1105, "buffer": 0}', 200
"""Units for these many jobs: more than one runner holds at once."""
SET_PROVIDER: LiteralString = "select * from headgate.set_provider('eodhd', %s::jsonb)"
VERIFIED = "?sslmode=verify-full&sslrootcert=/run/secrets/postgres/ca.crt"
NOT_NOTIFIED = "a pooler passes no notifications on"
RUNS: LiteralString = (
    "select pipeline, status, planned, succeeded from headgate.v_recent_executions"
    " order by started_at"
)
SESSIONS: LiteralString = (
    "select distinct usename::text from pg_stat_activity"
    " where datname = 'headgate' and usename is not null"
)


@dataclass(frozen=True)
class Cluster:
    """The pods of two overlays, with one PostgreSQL and its pooler; they start when a test says so."""

    demo: Processes
    cloudnative: Processes


@pytest.fixture
def cluster(seed_data: Path, tmp_path: Path) -> Iterator[Cluster]:
    """Run PostgreSQL and PgBouncer for the pods."""
    for folder in ("health", "demo", "cloudnative"):
        (tmp_path / folder).mkdir()
    server, pooler, standin, web = (str(free_port()) for _ in range(4))
    local = {
        "headgate-standin:8099": f"127.0.0.1:{standin}",
        "0.0.0.0": "127.0.0.1",
        "8099": standin,
        "8600": web,
        "/run/headgate": str(tmp_path / "health"),
        "/tmp/headgate": str(tmp_path / "home"),
    }
    through, past = f"@127.0.0.1:{pooler}/", f"@127.0.0.1:{server}/"
    direct = f"@headgate-postgres-rw/headgate{VERIFIED}"  # the embedded server speaks no TLS
    named = {"@headgate-pooler/": through, direct: f"{past}headgate"}
    demo = built(OVERLAYS / "demo")
    replaced = dict.fromkeys(pods_of(demo), local | {"@headgate-postgres/": through})
    replaced["headgate-migrate"] = local | {"@headgate-postgres/": past}
    authority = Authority(trustme.CA(), tmp_path)
    cloudnative = with_secrets(built(OVERLAYS / "cloudnative-pg"), PASSWORD)
    cloudnative.append(secret("headgate-postgres-ca", {"ca.crt": authority.file().read_text()}))
    seed = seed_of(seed_data)
    with (
        embedded_server(seed=seed, port=int(server)) as postgres,
        pooler_over_tcp(
            int(server), int(pooler), dict.fromkeys(ROLES, PASSWORD), authority.pem("127.0.0.1")
        ),
    ):
        _prepare(postgres, is_migrated=seed is not None)
        pods = Cluster(
            Processes(demo, replaced, tmp_path / "demo"),
            Processes(
                cloudnative,
                dict.fromkeys(pods_of(cloudnative), local | named),
                tmp_path / "cloudnative",
            ),
        )
        try:
            yield pods
        finally:
            pods.demo.kill()
            pods.cloudnative.kill()


def _prepare(postgres: Settings, *, is_migrated: bool) -> None:
    """Give the superuser its password; take the tests' template where there is one, to be fast."""
    with connect(postgres, "test") as connection:
        set_password(connection, "postgres", PASSWORD)
        if is_migrated:
            copy = sql.SQL("create database headgate template {} strategy file_copy")
            connection.execute(copy.format(sql.Identifier(TEMPLATE)))
            connection.execute(clock.moved("headgate"))


@NEEDS_POOLER
def test_each_command_does_its_work_and_a_run_outlives_its_runner(cluster: Cluster):
    demo, cloudnative = cluster.demo, cluster.cloudnative
    autoscaler = one_of(cloudnative.objects, "ScaledObject")["spec"]
    monitor = one_of(cloudnative.objects, "ServiceMonitor")["spec"]
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
    (row,) = ask(cloudnative, "headgate-web", autoscaler["triggers"][0]["metadata"]["query"])
    assert row["wanted"] > 0

    cloudnative.start("headgate-runner", 2)
    cloudnative.wait_until("headgate-runner", "readinessProbe", 2)
    assert run.wait(PATIENCE) == 0, demo.said("headgate-equities")
    demo.run("headgate-maintenance")
    equities, maintenance = ask(demo, "headgate-web", RUNS)
    assert equities["status"] == maintenance["status"] == "succeeded"
    assert equities["planned"] == equities["succeeded"] == standin.ledger()["requests"] == JOBS

    assert "headgate_jobs_total" in demo.get("headgate-web", monitor["endpoints"][0]["path"]).text
    assert {x["usename"] for x in ask(demo, "headgate-web", SESSIONS)} == set(ROLES)
    assert NOT_NOTIFIED in demo.said("headgate-runner")
    assert NOT_NOTIFIED not in cloudnative.said("headgate-runner", 2)
    assert cloudnative.terminate("headgate-runner", 2).wait(PATIENCE) == 0
    for workload in ("headgate-web", "headgate-standin"):
        assert demo.terminate(workload).wait(PATIENCE) == 0, demo.said(workload)
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
    with psycopg.connect(
        dsn, password=PASSWORD, autocommit=True, row_factory=dict_row
    ) as connection:
        return connection.execute(query, values).fetchall()

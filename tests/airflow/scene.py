"""Set-up of the stack's tests: all of Airflow on its own server and stand-in."""

from __future__ import annotations

import json
import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import LiteralString

from headgate.database import connect, connect_server
from headgate.demo.eodhd import Options, Process, spawn
from headgate.demo.recommender import source_database
from headgate.demo.services import StandIn, noblestride, onpoint
from headgate.demo.services import running as services_running
from headgate.demo.services.mail import MailServer, mail_server
from headgate.demo.services.slack import HOOK, slack
from headgate.demo.services.stage import locate
from headgate.embedded.server import Running as Postgres
from headgate.embedded.server import Server
from headgate.settings import Settings
from tests import clock
from tests.airflow.clicks import Answers, answering, write_clicks
from tests.airflow.stack import Airflow, environ_of, start, stopped_at_the_end
from tests.benchmarks import airflow
from tests.conftest import TEMPLATE
from tests.limits import PATIENCE
from tests.plan import Plan, Row
from tests.servers import DB, PARAMETERS, copy_data, free_port, migrated, scratch_folder

DATABASE = "headgate_stack"
SITE = Path(__file__).parent / "site"
DAGS = (DB.parent / "dags", Path(__file__).parent / "dags", airflow.DAGS)


@dataclass(kw_only=True)
class Scene(Airflow):
    """Airflow, with the stand-ins for the providers."""

    standin: Process
    answers: Answers
    services: dict[str, StandIn]
    """The stand-ins for the recommender's and OnPoint's services, and for Slack."""
    mailbox: MailServer
    statsd: socket.socket
    """Where Airflow's own metrics arrive."""
    tickers: list[str] = field(default_factory=list)
    """Listings that were not requested yet."""
    at_risk: int = 0
    """Units of calls in flight when a process was killed."""


@contextmanager
def running(folder: Path, seed: Path) -> Iterator[Scene]:
    """Start everything, and stop it at the end of the block; the server's data are those of `seed`, if it exists."""
    for dags in DAGS:
        shutil.copytree(dags, folder, ignore=shutil.ignore_patterns("__*"), dirs_exist_ok=True)
    with (
        scratch_folder() as home,
        spawn(Options(quota=None, rate=None)) as standin,
        answering() as (answers, base_url),
        services_running((*noblestride.services(), *onpoint.services(), slack())) as services,
        mail_server() as mailbox,
        socket.socket(type=socket.SOCK_DGRAM) as statsd,
    ):
        settings = Settings(dsn=None, database=DATABASE, home=home, db=DB)
        server = Server(home)
        if seed.exists():
            copy_data(seed, server.data)
        with served(server) as postgres, source_database(settings):
            more = BRISK | bad_connections(postgres) | {"EODHD_API_TOKEN": standin.token}
            known = filter(None, (str(SITE), os.environ.get("PYTHONPATH")))
            more |= {"PYTHONPATH": os.pathsep.join(known)}
            hook = services["slack"].url + HOOK
            more |= {"RECOMMENDER_SLACK_URL": hook, "ONPOINT_SLACK_URL": hook}
            statsd.bind(("127.0.0.1", 0))
            more |= {"HEADGATE_STATSD": f"127.0.0.1:{statsd.getsockname()[1]}"}
            environ, port = environ_of(settings, folder, **more), free_port()
            if seed.exists():
                rename = f"alter database {TEMPLATE} rename to {DATABASE}"
                with connect_server(settings, "test") as connection:
                    connection.execute(rename.encode())
            else:
                migrated(settings)
            arrange(settings, standin, base_url)
            arrange_services(settings, services, mailbox)
            process = start(settings, environ, port)
            scene = Scene(
                settings=settings,
                process=process,
                port=port,
                environ=environ,
                standin=standin,
                answers=answers,
                services=services,
                mailbox=mailbox,
                statsd=statsd,
            )
            with stopped_at_the_end(scene):
                scene.wait_until_healthy()
                yield scene


@contextmanager
def served(server: Server) -> Iterator[Postgres]:
    """Run PostgreSQL until the end of the block."""
    postgres = server.start(port=free_port(), parameters=PARAMETERS)
    try:
        yield postgres
    finally:
        server.stop()


BENCH_CALLS = 2
"""Number of calls in a row of the benchmark, which runs here to show that it can."""

# Shorter intervals than in production: orphaned tasks are found sooner. A scheduler without work looks for some once a
# second, as is Airflow's default: a look takes 35 ms of a core from the other tests.
# DAG files never change, so they are seldom parsed again; not never, because Airflow keeps a callback that comes while
# its file is being parsed until that file's next turn.
BRISK = {
    "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "True",  # paused until a test's file unpauses them
    "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "300",
    "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "1",
    "AIRFLOW__SCHEDULER__TRIGGER_TIMEOUT_CHECK_INTERVAL": "1",
    "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "2",
    "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "8",
    "BENCH_CALLS": str(BENCH_CALLS),
}


def bad_connections(postgres: Postgres) -> dict[str, str]:
    """Return broken Airflow connections, by name."""
    parts: Row = {"conn_type": "postgres", "schema": DATABASE, "login": "headgate_planner"}
    port = postgres.port
    given: dict[str, Row] = {
        "WRONG_PASSWORD": {"host": "127.0.0.1", "port": port, "password": "wrong"},
        "READER": {"host": postgres.socket_dir, "port": port, "login": "headgate_reader"},
        "NOWHERE": {"host": "/nowhere"},
    }
    return {f"AIRFLOW_CONN_{name}": json.dumps(parts | x) for name, x in given.items()}


PIPELINES: LiteralString = """
with p as (
    insert into headgate.pipelines (name) values ('resting'), ('busy'), ('typed'), ('rusty')
    returning pipeline_id, name
)
insert into headgate.pipeline_parameters (pipeline_id, name, type, default_value, effect)
select p.pipeline_id, 'mode', 'text', '"auto"', 'request' from p where p.name = 'typed'
"""


def arrange(settings: Settings, standin: Process, clicks_url: str) -> None:
    """Point the plan at the stand-in; add the clicks' plan, a paused pipeline and a running one."""
    standin.set_clock(clock.NOW)
    with connect(settings, "test") as connection:
        plan = Plan(connection)
        changes = {"base_url": standin.api, "quota": 1_105, "buffer": 0}
        changes["requests_per_minute"] = None
        plan.call("set_provider", p_provider="eodhd", p_changes=changes)
        plan.sql("update headgate.operations set timeout = %(most)s", most=f"{PATIENCE:.0f} s")
        connection.execute(PIPELINES)
        write_clicks(plan, clicks_url)
        plan.call("pause_pipeline", p_pipeline="resting")
        plan.call("start_execution", p_pipeline="busy", p_run_id="before", p_deployment="another")


def arrange_services(settings: Settings, services: dict[str, StandIn], mailbox: MailServer) -> None:
    """Set the addresses of both plans' services, of OnPoint's files, and of the mail server."""
    urls = {x: y.url for x, y in services.items()}
    with connect(settings, "test") as connection:
        plan = Plan(connection)
        locate(connection, "recommender", urls)
        locate(connection, "onpoint", urls, pace=600_000)
        for store in ("onpoint_files", "onpoint_lake"):
            plan.call("set_store", p_store=store, p_url=(settings.home / store).as_uri())
        server = {"host": "127.0.0.1", "port": mailbox.port}
        for channel in ("recommender_mail", "onpoint_mail"):
            plan.call("set_channel", p_channel=channel, p_changes=server)

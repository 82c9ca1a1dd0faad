"""`headgate airflow`: runs Airflow's processes and runners, and tools for them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from headgate import files
from headgate.airflow import (
    ADMIN_PASSWORD,
    LOGIN,
    SNAPSHOT,
    AirflowHome,
    alone,
    end_orphans,
    holder,
    read_state,
    write_login,
    write_snapshot,
)
from headgate.cli.commands import console
from headgate.cli.commands.demo import on_stage, others_played
from headgate.cli.commands.migrate import migrate
from headgate.cli.commands.signals import stop_on_signal
from headgate.database import PLANNER
from headgate.demo import QUOTA, find_demo
from headgate.errors import HeadgateError
from headgate.settings import Settings

PORT = 8080
RUNNERS = 2
STOP_SECONDS = 180

app = typer.Typer(
    help="Run Airflow's processes and runners, and Airflow's own commands.",
    add_completion=False,
    no_args_is_help=True,
)
Port = Annotated[int, typer.Option(min=1024, max=65535, help="Of the pages, on 127.0.0.1.")]


@app.command()
def start(
    port: Port = PORT,
    runners: Annotated[int, typer.Option(min=0, max=64, help="Runner processes.")] = RUNNERS,
) -> None:
    """Run Airflow and runners until Ctrl-C, SIGTERM or `headgate airflow stop`."""
    with _the_only_one(port):
        _serve(port, runners)


@app.command()
def demo(port: Port = PORT) -> None:
    """Run Airflow and runners on the stand-ins of `headgate demo`, until stopped."""
    with _the_only_one(port), on_stage(find_demo("equities"), QUOTA), others_played():
        _serve(port, RUNNERS, is_migrated=True)


@app.command()
def stop() -> None:
    """Stop what `headgate airflow start` or `headgate airflow demo` runs."""
    folder = AirflowHome(Settings.from_env(), PORT).folder
    deadline = time.monotonic() + STOP_SECONDS
    told = None
    while time.monotonic() < deadline:
        with alone(folder) as is_ours:
            if is_ours:
                left = end_orphans(folder)
                console.say("Airflow has stopped" if told or left else "Airflow was not running")
                return
        pid = holder(folder)
        if pid and pid != told:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
            told = pid
        time.sleep(0.2)
    raise HeadgateError(f"process {told} did not stop", hint=f"the logs: {folder / 'logs'}")


@app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    add_help_option=False,
)
def cli(context: typer.Context) -> None:
    """Run one of Airflow's own commands with these settings: `headgate airflow cli dags list`."""
    _require_airflow()
    settings = console.ready_settings()
    known = read_state(AirflowHome(settings, PORT).folder)
    if "HEADGATE_DATABASE" not in os.environ and "database" in known:
        settings = settings.with_database(known["database"])  # the running stack may be the demo
    console.open_database(settings, "check", role=PLANNER).close()
    port = int(known.get("url", "").rpartition(":")[2] or PORT)
    environ = AirflowHome(settings, port).environ_without_secrets()
    os.execve(sys.executable, [sys.executable, "-m", "airflow", *context.args], environ)


@app.command()
def params(
    out: Annotated[
        Path | None,
        typer.Option(help="The file to write.", show_default="params.json beside the DAGs"),
    ] = None,
) -> None:
    """Write the pipelines' parameters and the names of groups for the DAGs' forms."""
    settings = console.ready_settings()
    path = out or (settings.dags and settings.dags / SNAPSHOT)
    if path is None:
        raise HeadgateError(
            "the DAGs are in no folder that is known",
            hint="name the file: --out FILE, or the folder: HEADGATE_DAGS",
        )
    with console.open_database(settings, "params", role=PLANNER) as connection:
        is_new = write_snapshot(connection, path)
    print(path)
    console.say("written" if is_new else "nothing has changed")


@app.command()
def prepare() -> None:
    """Create Airflow's tables and the login of its pages, as its settings say; for containers."""
    _require_airflow()
    write_login(os.environ)
    environ = {name: value for name, value in os.environ.items() if name != ADMIN_PASSWORD}
    os.execve(sys.executable, [sys.executable, "-m", "airflow", "db", "migrate"], environ)


@app.command()
def healthy(
    part: Annotated[str, typer.Argument(help="api-server, scheduler, dag-processor, triggerer.")],
) -> None:
    """Check one part of Airflow through the API that its settings name; for containers."""
    from headgate.airflow import API_SERVER, PARTS, unhealthy_parts  # brings the HTTP client

    if part not in (API_SERVER, *PARTS.values()):
        known = ", ".join((API_SERVER, *PARTS.values()))
        raise HeadgateError(f"Airflow has no part {part!r}", hint=f"known: {known}")
    if missing := asyncio.run(unhealthy_parts(os.environ)) & {part, API_SERVER}:
        raise HeadgateError(f"not healthy: {', '.join(sorted(missing))}", hint="see its log")
    console.say(f"{part} is healthy")


@contextmanager
def _the_only_one(port: int) -> Iterator[None]:
    """Let nobody else run Airflow in this folder in the block; end what a killed start has left.

    Raises HeadgateError if it runs already, or if the port is in use.
    """
    _require_airflow()
    folder = AirflowHome(Settings.from_env(), port).folder
    with alone(folder) as is_ours:
        if not is_ours:
            url = read_state(folder).get("url", "somewhere")
            raise HeadgateError(
                f"Airflow is already running at {url}", hint="run: headgate airflow stop"
            )
        if left := end_orphans(folder):
            console.say(f"ended {left} processes that an earlier start had left behind")
        _require_free(port)
        yield


def _serve(port: int, runners: int, *, is_migrated: bool = False) -> None:
    """Migrate and run it all until a signal; `is_migrated`: our own database is ready."""
    code = asyncio.run(_run(AirflowHome(Settings.from_env(), port), runners, is_migrated))
    console.say("Airflow and the runners have stopped")
    if code == 128 + signal.SIGINT:
        raise typer.Exit(code)


async def _run(home: AirflowHome, runners: int, is_migrated: bool) -> int:
    from headgate.airflow import Stack  # brings the HTTP client

    with stop_on_signal("Airflow's processes and the runners end, one by one") as stop:
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, stop.set)
        await asyncio.to_thread(_prepare, home, is_migrated)
        if not stop.is_set():
            await Stack(home, runners).run(stop, lambda: _say_where(home))
        return stop.exit_code


def _prepare(home: AirflowHome, is_migrated: bool) -> None:
    """Migrate Airflow's database, and ours at the same time."""
    console.ready_settings()
    began = time.monotonic()
    home.create_database()
    environ = home.environ()
    log = home.logs / "migrate.log"
    with files.append(log) as file:
        file.truncate(0)
        process = subprocess.Popen(
            [sys.executable, "-m", "airflow", "db", "migrate"],
            cwd=home.folder,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            start_new_session=True,  # Ctrl-C reaches only this process
        )
    try:
        if not is_migrated:
            migrate()
    finally:
        code = process.wait()
    if code:
        raise HeadgateError("Airflow could not migrate its database", hint=f"its log: {log}")
    console.say(f"Airflow's own database is ready ({time.monotonic() - began:.0f} s)")


def _say_where(home: AirflowHome) -> None:
    print(f"Airflow: {home.url}  login: {LOGIN}  password: {home.password()}", flush=True)
    console.say(f"(kept in {home.login_file}; logs in {home.logs}) Ctrl-C stops it all")


def _require_airflow() -> None:
    if find_spec("airflow") is None:
        raise HeadgateError(
            "Airflow is not installed here",
            hint="run: make airflow, or pip install 'headgate[airflow]'",
        )


def _require_free(port: int) -> None:
    """Raise HeadgateError if the port is in use, before anything is started."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as exc:
            raise HeadgateError(
                f"port {port} cannot be had: {exc.strerror}",
                hint="choose another one: headgate airflow start --port 8081, "
                "or make airflow PORT=8081",
            ) from exc

"""Supervisor of Airflow's four processes and the runners: keeps them alive, then ends them all.

Each process leads its own process group. A file lists all groups, so that the next supervisor can
end the processes that a killed supervisor left behind.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx2

from headgate import files
from headgate.airflow.orphans import birth, end_groups, state_file
from headgate.airflow.settings import AirflowHome
from headgate.embedded import Server
from headgate.errors import HeadgateError

logger = logging.getLogger(__name__)

START_SECONDS: Final = 300.0
STOP_SECONDS: Final = 20.0
LONGEST_PAUSE: Final = 30.0
STEADY_SECONDS: Final = 60.0
LATE: Final = "scheduler"
API_SERVER: Final = "api-server"
PARTS: Final = {
    "metadatabase": "database",
    "scheduler": "scheduler",
    "triggerer": "triggerer",
    "dag_processor": "dag-processor",
}
"""Parts of Airflow by their name on its health page, with the name of their command."""


Missing = Callable[[httpx2.AsyncClient], Awaitable[set[str]]]


@dataclass(slots=True)
class Service:
    """A process that is kept alive."""

    name: str
    command: Sequence[str]
    environ: Mapping[str, str]
    process: asyncio.subprocess.Process | None = None
    groups: dict[int, str | None] = field(default_factory=dict)
    """Process groups started so far: the leader's process number and its start (`birth`)."""


def services(home: AirflowHome, runners: int) -> list[Service]:
    """Return the services, in the order in which they are stopped."""
    airflow = (sys.executable, "-m", "airflow")
    environ = home.environ_without_secrets()
    commands = {
        "triggerer": (*airflow, "triggerer", "--skip-serve-logs"),
        "scheduler": (*airflow, "scheduler", "--skip-serve-logs"),
        "dag-processor": (*airflow, "dag-processor"),
        "api-server": (*airflow, "api-server", "--host", "127.0.0.1", "--port", str(home.port)),
    }
    worker = (sys.executable, "-m", "headgate", "worker")
    settings = home.settings
    ours = {**os.environ, "HEADGATE_HOME": str(settings.home), "HEADGATE_DB": str(settings.db)}
    ours["HEADGATE_DATABASE"] = settings.database
    if settings.plans:
        ours["HEADGATE_PLANS"] = os.pathsep.join(map(str, settings.plans))
    return [
        *(Service(name, command, environ) for name, command in commands.items()),
        *(Service(f"runner-{n + 1}", worker, ours) for n in range(runners)),
    ]


class Stack:
    """All services, from their start to their end."""

    def __init__(self, home: AirflowHome, runners: int) -> None:
        self._home = home
        self._services = services(home, runners)

    async def run(self, stop: asyncio.Event, on_ready: Callable[[], None]) -> None:
        """Start all services, call `on_ready` once healthy, and keep them alive until `stop`."""
        keepers: list[asyncio.Task[None]] = []
        try:
            # A task that starts before the API answers fails, so the scheduler starts last.
            for service in self._services:
                if service.name != LATE:
                    await self._start(service)
            if await self._wait(stop, _without_api):
                for service in self._services:
                    if service.name == LATE:
                        await self._start(service)
            if await self._wait(stop, _unhealthy):
                on_ready()
                keepers = [asyncio.create_task(self._keep(x)) for x in self._services]
                if self._home.settings.dsn is None:
                    keepers.append(asyncio.create_task(self._keep_database()))
                await _first(asyncio.create_task(stop.wait()), *keepers)
        finally:
            for keeper in keepers:
                keeper.cancel()
            await asyncio.gather(*keepers, return_exceptions=True)
            try:
                for service in self._services:
                    await _end(service)
            finally:
                for service in self._services:
                    end_groups(service.groups, signal.SIGKILL)
                self._state_file().unlink(missing_ok=True)

    async def _start(self, service: Service) -> None:
        with files.append(self._home.logs / f"{service.name}.log") as log:
            service.process = await asyncio.create_subprocess_exec(
                *service.command,
                cwd=self._home.folder,
                env=service.environ,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C reaches only this supervisor
            )
        service.groups[service.process.pid] = birth(service.process.pid)
        state = {
            "url": self._home.url,
            "database": self._home.settings.database,
            "services": {x.name: x.process.pid for x in self._services if x.process},
            "groups": {pid: at for x in self._services for pid, at in x.groups.items()},
        }
        files.write(self._state_file(), json.dumps(state, indent=4) + "\n")

    async def _wait(self, stop: asyncio.Event, missing_parts: Missing) -> bool:
        """Wait until no part is missing; return False if `stop` is set before.

        Raises HeadgateError if a service ends, or after START_SECONDS.
        """
        began = time.monotonic()
        said: set[str] = set()
        async with httpx2.AsyncClient(base_url=self._home.url, timeout=30) as client:
            while not stop.is_set():
                for service in self._services:
                    if service.process and service.process.returncode is not None:
                        raise self._failed(service)
                missing = await missing_parts(client)
                seconds = time.monotonic() - began
                if missing and missing != said:
                    logger.info("waiting for %s", ", ".join(sorted(missing)))
                    said = missing
                if not missing:
                    return True
                if seconds > START_SECONDS:
                    raise HeadgateError(
                        f"Airflow is not healthy after {seconds:.0f} s: no {', '.join(missing)}",
                        hint=f"the logs: {self._home.logs}",
                    )
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), 0.5)
        return False

    async def _keep(self, service: Service) -> None:
        """Restart the process whenever it ends, with a pause that doubles up to LONGEST_PAUSE."""
        pause = 1.0
        while True:
            began = time.monotonic()
            code = await service.process.wait() if service.process else 0
            if time.monotonic() - began > STEADY_SECONDS:
                pause = 1.0
            logger.warning(
                "%s ended with code %s; starting it again in %.0f s (%s)",
                service.name,
                code,
                pause,
                self._home.logs / f"{service.name}.log",
            )
            end_groups(service.groups, signal.SIGTERM)
            await asyncio.sleep(pause)
            end_groups(service.groups, signal.SIGKILL)
            service.groups.clear()
            await self._start(service)
            pause = min(2 * pause, LONGEST_PAUSE)

    async def _keep_database(self) -> None:
        """Restart the embedded server whenever it does not run, on the same port."""
        server = Server(self._home.settings.home)
        port = None
        while True:
            running = server.running()
            if running is not None:
                port = running.port if running.on_tcp else None
            else:
                logger.warning("PostgreSQL is not running; starting it again")
                try:
                    await asyncio.to_thread(server.start, port=port)
                except HeadgateError as exc:
                    logger.error("%s", exc)
            await asyncio.sleep(1)

    def _failed(self, service: Service) -> HeadgateError:
        log = self._home.logs / f"{service.name}.log"
        lines = [x for x in log.read_text(errors="replace").splitlines() if x.strip()]
        code = service.process.returncode if service.process else None
        last = f": {lines[-1]}" if lines else ""
        return HeadgateError(f"{service.name} ended with code {code}{last}", hint=f"its log: {log}")

    def _state_file(self) -> Path:
        return state_file(self._home.folder)


async def _first(stop: asyncio.Task[Any], *keepers: asyncio.Task[None]) -> None:
    """Wait for `stop`, or for a keeper that fails; raise the keeper's error."""
    await asyncio.wait([stop, *keepers], return_when=asyncio.FIRST_COMPLETED)
    stop.cancel()
    for keeper in keepers:
        if keeper.done():
            keeper.result()


async def unhealthy_parts(environ: Mapping[str, str]) -> set[str]:
    """Return the unhealthy parts of Airflow, from the API that its settings name."""
    url = environ.get("AIRFLOW__CORE__EXECUTION_API_SERVER_URL", "http://127.0.0.1:8080/execution/")
    async with httpx2.AsyncClient(base_url=url.removesuffix("execution/"), timeout=20) as client:
        return await _without_api(client) or await _unhealthy(client)


async def _without_api(client: httpx2.AsyncClient) -> set[str]:
    """Return the api-server if the Execution API, which tasks use, does not answer."""
    try:
        answer = await client.get("/execution/health")
    except httpx2.HTTPError:
        return {API_SERVER}
    return set() if answer.is_success else {API_SERVER}


async def _unhealthy(client: httpx2.AsyncClient) -> set[str]:
    try:
        answer = await client.get("/api/v2/monitor/health")
        parts = answer.raise_for_status().json()
    except (httpx2.HTTPError, ValueError):
        return {API_SERVER}
    return {
        name for part, name in PARTS.items() if (parts.get(part) or {}).get("status") != "healthy"
    }


async def _end(service: Service) -> None:
    """Terminate a process; kill it after STOP_SECONDS, and what is left of its groups."""
    process = service.process
    if process is not None and process.returncode is None:
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), STOP_SECONDS)
        except TimeoutError:
            logger.warning("%s did not end within %.0f s", service.name, STOP_SECONDS)
    end_groups(service.groups, signal.SIGKILL)

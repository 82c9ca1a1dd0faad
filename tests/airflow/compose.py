"""Runs the services of docker-compose.yaml as local processes, with their commands, environments and order.

Host names, ports and folders of containers are replaced by local ones; everything else is used unchanged.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.limits import PATIENCE

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "docker-compose.yaml"
EXAMPLE = ROOT / ".env.example"
VARIABLE = re.compile(r"\$\{(\w+)(?::([?-])([^}]*))?\}")


def example_names() -> list[str]:
    """Return the variables of .env.example, including commented ones."""
    return re.findall(r"^(?:# )?([A-Z_]+)=", EXAMPLE.read_text(), re.MULTILINE)


def text_with(values: Mapping[str, str]) -> str:
    """Return the compose file's text with its variables replaced as compose does."""

    def value(match: re.Match[str]) -> str:
        name, kind, default = match.groups()
        assert values.get(name) or kind == "-", f"{name} is not set"
        return values.get(name) or default

    return VARIABLE.sub(value, FILE.read_text())


def services_of(text: str) -> dict[str, dict[str, Any]]:
    """Return the services of a compose file."""
    import yaml  # installed with Airflow

    services: dict[str, dict[str, Any]] = yaml.safe_load(text)["services"]
    return services


def in_order(services: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the services' names in the order of their dependencies."""
    done: list[str] = []
    while len(done) < len(services):
        for name, service in services.items():
            if name not in done and set(service.get("depends_on", ())) <= set(done):
                done.append(name)
    return done


@dataclass
class Composed:
    """The services and their processes."""

    services: dict[str, dict[str, Any]]
    folder: Path
    scale: Mapping[str, int]
    """Number of processes per service, as in `--scale`; by default one."""
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def up(self) -> None:
        """Start all services in compose's order; PostgreSQL already runs."""
        for name in in_order(self.services):
            if name == "postgres":
                continue
            for other, wanted in self.services[name].get("depends_on", {}).items():
                if wanted["condition"] == "service_healthy" and other != "postgres":
                    self.wait_until_healthy(other)
            self.start(name)
        for name in self.services:
            if name in self.running():
                self.wait_until_healthy(name)

    def start(self, name: str) -> None:
        """Start a service's processes; a one-time service must succeed."""
        for number in range(self.scale.get(name, 1)):
            process = self._process(name, f"{name}-{number + 1}")
            if self.services[name]["restart"] == "no":
                assert process.wait(PATIENCE) == 0, self.said(f"{name}-{number + 1}")

    def _process(self, name: str, full_name: str) -> subprocess.Popen[bytes]:
        with self.log(full_name).open("wb") as log:
            process = subprocess.Popen(
                self.services[name]["command"],
                cwd=ROOT,
                env=self.environ(name),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        if self.services[name]["restart"] != "no":
            self.processes[full_name] = process
        return process

    def wait_until_healthy(self, name: str) -> None:
        """Wait until the service's own health check passes."""
        check = self.services[name].get("healthcheck", {}).get("test")
        deadline = time.monotonic() + PATIENCE
        while True:
            for full_name in self.running()[name]:
                assert self.processes[full_name].poll() is None, self.said(full_name)
            if check is None:
                return
            done = subprocess.run(check[1:], cwd=ROOT, env=self.environ(name), capture_output=True)
            if done.returncode == 0:
                return
            assert time.monotonic() < deadline, f"{name} is not healthy: {done.stderr!r}"
            time.sleep(1)

    def environ(self, name: str) -> dict[str, str]:
        """Return the container's environment, with the local PATH and HOME."""
        home = {"PATH": f"{Path(sys.executable).parent}:{os.defpath}", "HOME": str(self.folder)}
        given: dict[str, str] = self.services[name].get("environment", {})
        return home | given

    def running(self) -> dict[str, list[str]]:
        """Return the processes' names by service."""
        found: dict[str, list[str]] = {}
        for full_name in self.processes:
            found.setdefault(full_name.rpartition("-")[0], []).append(full_name)
        return found

    def log(self, full_name: str) -> Path:
        """Return the path of a process's log."""
        return self.folder / f"{full_name}.log"

    def said(self, full_name: str) -> str:
        """Return the end of a process's log."""
        return f"{full_name}: {self.log(full_name).read_text()[-2000:]}"

    def down(self) -> list[str]:
        """Stop all processes, the last one first; return those that had to be killed."""
        killed = []
        for full_name, process in reversed(self.processes.items()):
            process.terminate()
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                killed.append(full_name)
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        self.processes.clear()
        return killed


@contextmanager
def composed(
    text: str, replaced: Mapping[str, str], folder: Path, scale: Mapping[str, int]
) -> Iterator[Composed]:
    """Run the services of a compose file that watch nothing, with these parts of its text replaced."""
    for old, new in replaced.items():
        assert old in text, f"{old} is not in the file"
        text = text.replace(old, new)
    services = services_of(text)
    watching = {"bi", "monitoring"}
    ours = {x: y for x, y in services.items() if not watching & set(y.get("profiles", ()))}
    running = Composed(ours, folder, scale)
    try:
        running.up()
        yield running
    finally:
        running.down()

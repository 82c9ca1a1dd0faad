"""Reads deploy/grafana/dashboards, and runs a Prometheus that has scraped one text."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx2
import yaml

from tests.docs import ROOT
from tests.limits import PATIENCE, wait_until
from tests.servers import free_port

GRAFANA = ROOT / "deploy" / "grafana"
FILES = sorted((GRAFANA / "dashboards").glob("*.json"))
EVER = "'2000-01-01Z' and '2100-01-01Z'"


def read(path: Path) -> dict[str, Any]:
    """Return a dashboard."""
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def panels() -> list[tuple[str, dict[str, Any]]]:
    """Return every panel that shows something, after the name of its dashboard."""
    return [(x.stem, y) for x in FILES for y in read(x)["panels"] if y["type"] != "row"]


def targets(language: str) -> list[tuple[str, str]]:
    """Return where each query of this language (expr or rawSql) is, and its text."""
    return [
        (f"{name}: {panel['title']} {target['refId']}", target[language])
        for name, panel in panels()
        for target in panel["targets"]
        if language in target
    ]


def sql_of(text: str) -> str:
    """Return a query with Grafana's macros replaced, for all of time."""
    text = re.sub(r"\$__timeFilter\((.+?)\)", rf"\1 between {EVER}", text)
    first, last = EVER.split(" and ")
    return text.replace("$__timeFrom()", first).replace("$__timeTo()", last)


def promql_of(text: str) -> str:
    """Return an expression with Grafana's variables replaced."""
    return text.replace("$__rate_interval", "1m").replace("$__range", "1h")


@contextmanager
def scraped(text: bytes, folder: Path) -> Iterator[httpx2.Client]:
    """Yield a client of a Prometheus that has read this text often enough to know a rate."""
    with _serving(text) as target, _prometheus(target, folder) as client:

        def has_two() -> bool:
            found = result(client, "count_over_time(headgate_runners[1m]) >= 2")
            return bool(found)

        wait_until(has_two, "two scrapes")
        yield client


def result(client: httpx2.Client, expression: str) -> list[Any]:
    """Return the series that an expression has now."""
    answer = client.get("/api/v1/query", params={"query": expression})
    assert answer.status_code == 200, answer.text
    found: list[Any] = answer.json()["data"]["result"]
    return found


@contextmanager
def _serving(text: bytes) -> Iterator[str]:
    """Serve a text at every path."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@contextmanager
def _prometheus(target: str, folder: Path) -> Iterator[httpx2.Client]:
    """Run a Prometheus that scrapes one address each second; stop it at the end."""
    scrape = {"job_name": "headgate", "static_configs": [{"targets": [target]}]}
    configuration = {"global": {"scrape_interval": "1s"}, "scrape_configs": [scrape]}
    (folder / "prometheus.yml").write_text(yaml.safe_dump(configuration))
    address = f"127.0.0.1:{free_port()}"
    command = (
        "prometheus",
        f"--config.file={folder}/prometheus.yml",
        f"--storage.tsdb.path={folder}/data",
        f"--web.listen-address={address}",
    )
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        with httpx2.Client(base_url=f"http://{address}", timeout=PATIENCE) as client:

            def is_ready() -> bool:
                assert process.poll() is None, (folder / "log").read_text()
                try:
                    return client.get("/-/ready").status_code == 200
                except httpx2.TransportError:
                    return False

            wait_until(is_ready, "Prometheus")
            yield client
    finally:
        process.terminate()
        process.wait(PATIENCE)

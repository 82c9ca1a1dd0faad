"""Runs a stand-in in its own process, for tests that must not share an event loop with it."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from headgate.demo.eodhd.options import DSN_VARIABLE, Options
from headgate.demo.eodhd.waiting import PATIENCE, wait_until

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Process:
    """Client of a running stand-in; a provider's base_url must be `api`."""

    url: str
    token: str
    pid: int

    @property
    def api(self) -> str:
        """Return the base URL of the API."""
        return f"{self.url}/api"

    def ledger(self) -> dict[str, Any]:
        """Return the stand-in's ledger."""
        return self._ask("_book")

    def reset(self) -> None:
        """Empty the stand-in's ledger."""
        self._ask("_book/reset", {})

    def set_faults(self, rules: Sequence[dict[str, Any]]) -> None:
        """Replace the fault rules; an empty list ends all faults."""
        self._ask("_faults", list(rules))

    def set_clock(self, at: datetime | None, *, frozen: bool = False) -> None:
        """Set the time by hand; None returns to the time of the database or the machine."""
        self._ask("_clock", {"at": at.isoformat() if at else None, "frozen": frozen})

    def set_limits(self, **limits: int | None) -> None:
        """Change `quota` or `rate`; None means no limit."""
        self._ask("_limits", limits)

    def spend(self, units: int) -> None:
        """Spend units of the token, as another program would."""
        self._ask("_spend", {"units": units})

    def _ask(self, path: str, given: object = None) -> dict[str, Any]:
        data = None if given is None else json.dumps(given).encode()
        with urlopen(Request(f"{self.url}/{path}", data=data), timeout=PATIENCE) as answer:
            found: dict[str, Any] = json.load(answer)
        return found


@contextlib.contextmanager
def spawn(options: Options | None = None) -> Iterator[Process]:
    """Start a stand-in, wait until it answers, and stop it at the end."""
    options = options or Options()
    with tempfile.TemporaryDirectory(prefix="standin") as folder:
        port_file = options.port_file or Path(folder) / "port"
        port_file.unlink(missing_ok=True)
        given = replace(options, port_file=port_file, until_eof=True).arguments()
        child = subprocess.Popen(
            [sys.executable, "-m", "headgate.demo.eodhd", *given],
            env=os.environ | ({DSN_VARIABLE: options.dsn} if options.dsn else {}),
            stdin=subprocess.PIPE,  # never written to: the child ends when this process ends
            start_new_session=True,  # Ctrl-C reaches only this process
        )
        try:
            port = _wait_for_port(child, port_file)
            host = "127.0.0.1" if options.host == "0.0.0.0" else options.host
            yield Process(f"http://{host}:{port}", options.tokens[0], child.pid)
        finally:
            child.terminate()
            try:
                child.communicate(timeout=PATIENCE)
            except subprocess.TimeoutExpired:
                child.kill()
                child.communicate()


def _wait_for_port(child: subprocess.Popen[bytes], port_file: Path) -> int:
    wait_until(lambda: port_file.exists() or child.poll() is not None, "the stand-in")
    if child.poll() is not None:
        raise RuntimeError(
            f"the stand-in ended with exit code {child.returncode} before it answered"
        )
    return int(port_file.read_text())

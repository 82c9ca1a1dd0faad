"""`make bi` shows Superset's dashboard, with data in each chart. Needs Superset and Chromium: `make test/bi`."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from psycopg import sql

from headgate.database import connect
from headgate.settings import Settings
from tests.bi.month import write_month
from tests.browser import CHROMIUM, Page, chromium, tab
from tests.docs import ROOT
from tests.limits import PATIENCE, wait_until
from tests.servers import free_port

SUPERSET = Path(os.environ.get("SUPERSET", ROOT / ".venv-superset" / "bin" / "superset"))
CHARTS = {
    *("Runs by day", "Units by day and pipeline", "Jobs by hour", "Failures by reason"),
    *("Freshness", "Backlog", "Deferrals", "Top movers"),
}
pytestmark = [
    pytest.mark.skipif(not SUPERSET.exists(), reason="Superset is not installed: make test/bi"),
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
]


@dataclass
class Shown:
    """A running Superset."""

    url: str
    user: str
    password: str
    process: subprocess.Popen[str]


@pytest.fixture
def shown(database: Settings, tmp_path: Path) -> Iterator[Shown]:
    """Show a month in Superset, as `make bi` does."""
    with connect(database, "test") as connection:
        name = sql.Identifier(database.database)
        # Superset asks for the last 90 days by the machine's clock.
        connection.execute(sql.SQL("alter database {} reset headgate.clock_offset").format(name))
    with connect(database, "test") as connection:
        write_month(connection)
    environ = {
        **os.environ,
        "HEADGATE_HOME": str(database.home),
        "HEADGATE_DATABASE": database.database,
        "HEADGATE_DB": str(database.db),
        "PYTHONPATH": f"{ROOT}:{ROOT / 'runner'}",
    }
    script = ROOT / "deploy" / "superset" / "show.py"
    command = [sys.executable, str(script), "--superset", str(SUPERSET)]
    said = tmp_path / "said"
    with said.open("w") as file:
        process = subprocess.Popen(
            [*command, "--port", str(free_port())], env=environ, stderr=file, text=True
        )
        try:
            wait_until(lambda: process.poll() is not None or "password" in said.read_text(), "it")
            found = re.search(r"(http://\S+)   user (\w+), password ([\w-]+);", said.read_text())
            assert found, said.read_text()
            yield Shown(found[1], found[2], found[3], process)
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(PATIENCE)


async def test_each_chart_shows_data_and_ctrl_c_stops_all_of_it(shown: Shown):
    with chromium() as port:
        async with tab(port, 1400, 1900) as page:
            await log_in(page, shown)
            # Charts that are not in sight are not drawn.
            await page.tell("Page.navigate", url=f"{shown.url}?standalone=2")
            await page.read(sorted(CHARTS))
            await page.wait_for("document.querySelectorAll('canvas').length == 7")
            await page.wait_for("document.querySelectorAll('tbody tr').length >= 10")
            text = await page.text()
    workers = psutil.Process(shown.process.pid).children(recursive=True)
    shown.process.send_signal(signal.SIGINT)

    assert "No results" not in text and "error" not in text.lower()
    assert shown.process.wait(PATIENCE) == 0
    assert workers and not any(x.is_running() for x in workers)


async def log_in(page: Page, shown: Shown) -> None:
    """Log in at the page that Superset shows first."""
    await page.tell("Page.navigate", url=shown.url.partition("/superset/")[0] + "/login/")
    for name, value in (("username", shown.user), ("password", shown.password)):
        await page.wait_for(f"document.getElementById('{name}')")
        await page.value(f"document.getElementById('{name}').focus()")
        await page.tell("Input.insertText", text=value)
    await page.value("document.querySelector('[data-test=login-button]').click()")
    await page.wait_for("!location.pathname.startsWith('/login')")

"""Airflow's pages in headless Chromium, by its DevTools protocol."""

from __future__ import annotations

import asyncio
import base64
import itertools
import shutil
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from tests.limits import PATIENCE

CHROMIUM = shutil.which("chromium")
VIEWS = {
    "grid": "[data-testid^=grid-] [data-testid=task-state-badge]",
    "graph": ".react-flow__node",
}
"""Views of the page, with the selector of an element that each shows once per task."""
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--force-color-profile=srgb",
    "--remote-debugging-port=0",
)


@dataclass
class Page:
    """A tab of the browser."""

    socket: aiohttp.ClientWebSocketResponse
    numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    async def tell(self, method: str, **params: Any) -> dict[str, Any]:
        """Call a method of the protocol, which must succeed; return its result."""
        said = await self.ask(method, **params)
        assert "error" not in said, f"{method}: {said}"
        result: dict[str, Any] = said["result"]
        return result

    async def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """Call a method of the protocol; return its answer."""
        number = next(self.numbers)
        await self.socket.send_json({"id": number, "method": method, "params": params})
        while True:
            said: dict[str, Any] = await self.socket.receive_json(timeout=PATIENCE)
            if said.get("id") == number:
                return said

    async def value(self, expression: str) -> Any:
        """Evaluate an expression in the page; None while there is no page."""
        said = await self.ask("Runtime.evaluate", expression=f"({expression}) ?? null")
        result = said.get("result", {}).get("result", {})
        return result.get("value", result.get("objectId"))

    async def wait_for(self, expression: str) -> Any:
        """Wait until an expression is true; return its value."""
        deadline = time.monotonic() + PATIENCE
        while not (value := await self.value(expression)):
            assert time.monotonic() < deadline, f"{expression} does not come: {await self.text()}"
            await asyncio.sleep(0.3)
        return value

    async def read(self, words: Sequence[str]) -> str:
        """Wait until the page shows all these words; return its text."""
        deadline = time.monotonic() + PATIENCE
        while missing := [x for x in words if x not in await self.text()]:
            assert time.monotonic() < deadline, f"no {missing}: {await self.text()}"
            await asyncio.sleep(0.3)
        return await self.text()

    async def text(self) -> str:
        """Return the page's text."""
        return str(await self.value("document.body?.innerText"))

    async def press(self, key: str) -> None:
        """Press a key."""
        given = {"key": key, "code": f"Key{key.upper()}", "windowsVirtualKeyCode": ord(key.upper())}
        await self.tell("Input.dispatchKeyEvent", type="keyDown", text=key, **given)
        await self.tell("Input.dispatchKeyEvent", type="keyUp", **given)

    async def picture(self) -> bytes:
        """Return a screenshot of the page, as a PNG."""
        await asyncio.sleep(2)  # for animations to end
        said = await self.tell("Page.captureScreenshot", format="png")
        return base64.b64decode(said["data"])


@asynccontextmanager
async def browser(width: int, height: int) -> AsyncIterator[Page]:
    """Run Chromium with one tab of this size."""
    with tempfile.TemporaryDirectory(prefix="chromium", ignore_cleanup_errors=True) as folder:
        flags = [*FLAGS, f"--user-data-dir={folder}", f"--window-size={width},{height}"]
        process = subprocess.Popen(
            [str(CHROMIUM), *flags, "about:blank"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            port = await _port(Path(folder) / "DevToolsActivePort", process)
            async with aiohttp.ClientSession() as session:
                async with session.get(f"http://127.0.0.1:{port}/json/list") as answer:
                    (target,) = (x for x in await answer.json() if x["type"] == "page")
                url = target["webSocketDebuggerUrl"]
                async with session.ws_connect(url, max_msg_size=0) as socket:
                    yield Page(socket)
        finally:
            process.terminate()
            process.wait(PATIENCE)


async def _port(file: Path, process: subprocess.Popen[bytes]) -> int:
    deadline = time.monotonic() + PATIENCE
    while not (file.exists() and "\n" in file.read_text()):
        assert process.poll() is None, f"chromium ended with code {process.returncode}"
        assert time.monotonic() < deadline, "chromium does not answer"
        await asyncio.sleep(0.1)
    return int(file.read_text().splitlines()[0])


async def views_of_run(
    url: str, token: str, dag: str, run: str, words: Sequence[str]
) -> dict[str, tuple[str, bytes]]:
    """Return text and picture of a run's page: with its grid, and with its graph."""
    found = {}
    async with browser(1280, 800) as page:
        await page.tell("Network.setCookie", name="_token", value=token, url=url)
        await page.tell("Page.navigate", url=f"{url}/dags/{dag}/runs/{run}")
        for view, marker in VIEWS.items():
            if view == "graph":
                await page.press("g")
            await page.wait_for(f"document.querySelectorAll('{marker}').length >= {len(words)}")
            found[view] = (await page.read(words), await page.picture())
    return found

"""Pages in headless Chromium, by its DevTools protocol."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from tests.limits import PATIENCE, wait_until

CHROMIUM = shutil.which("chromium")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--force-color-profile=srgb",
    "--no-first-run",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-port=0",
)


@dataclass
class Page:
    """A tab of the browser."""

    socket: aiohttp.ClientWebSocketResponse
    numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))
    complaints: list[str] = field(default_factory=list)
    """What the page has logged as an error, and scripts that failed."""

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
            self.complaints += _complaints(said)

    async def open(self, url: str) -> None:
        """Load a page, and wait until all of it is there."""
        await self.tell("Page.navigate", url=url)
        await self.wait_for(
            f"location.href == {json.dumps(url)} && document.readyState == 'complete'"
        )

    async def resize(self, width: int, height: int) -> None:
        """Give the page another size; a narrow one is a phone's."""
        await self.tell(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 640,
        )

    async def prefer(self, scheme: str) -> None:
        """Let the system prefer dark or light."""
        feature = {"name": "prefers-color-scheme", "value": scheme}
        await self.tell("Emulation.setEmulatedMedia", features=[feature])

    async def value(self, expression: str) -> Any:
        """Evaluate an expression in the page; None while there is no page."""
        said = await self.ask("Runtime.evaluate", expression=f"({expression}) ?? null")
        result = said.get("result", {}).get("result", {})
        return result.get("value", result.get("objectId"))

    async def promised(self, script: str) -> Any:
        """Run a script; return what its promise brings."""
        said = await self.tell("Runtime.evaluate", expression=script, awaitPromise=True)
        assert "exceptionDetails" not in said, said
        return said["result"].get("value")

    async def wait_for(self, expression: str) -> Any:
        """Wait until an expression is true; return its value."""
        deadline = time.monotonic() + PATIENCE
        while not (value := await self.value(expression)):
            assert time.monotonic() < deadline, f"{expression} does not come: {await self.text()}"
            await asyncio.sleep(0.05)
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
        said = await self.tell("Page.captureScreenshot", format="png")
        return base64.b64decode(said["data"])


@contextmanager
def chromium() -> Iterator[int]:
    """Run Chromium; yield the port of its protocol."""
    with tempfile.TemporaryDirectory(prefix="chromium", ignore_cleanup_errors=True) as folder:
        process = subprocess.Popen(
            [str(CHROMIUM), *FLAGS, f"--user-data-dir={folder}", "about:blank"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            yield _port(Path(folder) / "DevToolsActivePort", process)
        finally:
            process.terminate()
            process.wait(PATIENCE)


@asynccontextmanager
async def tab(port: int, width: int, height: int) -> AsyncIterator[Page]:
    """Open a tab of this size, and close it."""
    at = f"http://127.0.0.1:{port}/json"
    async with aiohttp.ClientSession() as session:
        async with session.put(f"{at}/new?about:blank") as answer:
            target = await answer.json()
        async with session.ws_connect(target["webSocketDebuggerUrl"], max_msg_size=0) as socket:
            page = Page(socket)
            for part in ("Page", "Runtime", "Log"):
                await page.tell(f"{part}.enable")
            await page.resize(width, height)
            yield page
        async with session.get(f"{at}/close/{target['id']}"):
            pass


def _port(file: Path, process: subprocess.Popen[bytes]) -> int:
    def answers() -> bool:
        assert process.poll() is None, f"chromium ended with code {process.returncode}"
        return file.exists() and "\n" in file.read_text()

    wait_until(answers, "chromium")
    return int(file.read_text().splitlines()[0])


def _complaints(said: dict[str, Any]) -> list[str]:
    """Return what an event of the protocol says of an error, if it is one."""
    params = said.get("params", {})
    match said.get("method"):
        case "Runtime.exceptionThrown":
            return [str(params["exceptionDetails"])]
        case "Runtime.consoleAPICalled" if params["type"] in ("error", "assert"):
            return [str(params["args"])]
        case "Log.entryAdded" if params["entry"]["level"] == "error":
            return [f"{params['entry']['text']} {params['entry'].get('url', '')}"]
        case _:
            return []

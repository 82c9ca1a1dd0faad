"""Provider in its own process, which answers any GET with 1.5 kB of JSON, at once or after a delay.

It tells at ARRIVALS when each request has come, in seconds of its own clock, and forgets them then.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import httpx2
from aiohttp import web

from tests.servers import DB

BAR: Final = {"open": 101.25, "high": 103.5, "low": 99.75, "close": 102.0, "volume": 1234567}
ARRIVALS: Final = "/arrivals"
ANSWER: Final = json.dumps(
    [{"date": f"2026-06-{day:02}", **BAR, "adjusted_close": 101.5} for day in range(1, 15)]
).encode()


@contextmanager
def provider(delay: float = 0) -> Iterator[str]:
    """Run the provider and yield its base URL; it ends with this process, even if that is killed."""
    process = subprocess.Popen(
        [sys.executable, "-m", __name__, str(delay)],
        cwd=DB.parent,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.terminate()


def arrivals_at(base_url: str) -> list[float]:
    """Return when the provider's requests since the last question have come, in order."""
    told: list[float] = httpx2.get(base_url + ARRIVALS, trust_env=False).json()
    return told


async def serve(delay: float) -> None:
    """Answer requests after `delay` seconds, until standard input ends."""

    arrivals: list[float] = []

    async def answer(_: web.Request) -> web.Response:
        arrivals.append(time.monotonic())
        if delay:
            await asyncio.sleep(delay)
        return web.Response(body=ANSWER, content_type="application/json")

    async def tell(_: web.Request) -> web.Response:
        told, arrivals[:] = list(arrivals), []
        return web.json_response(told)

    ended = asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin, ended.set)
    app = web.Application()
    app.router.add_get(ARRIVALS, tell)
    app.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(runner.addresses[0][1], flush=True)
    await ended.wait()
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(serve(float(sys.argv[1])))

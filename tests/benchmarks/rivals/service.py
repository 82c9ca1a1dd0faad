"""Blog service of the guide in its own process: posts, their comments, and a count of its calls."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final
from urllib.request import urlopen

from aiohttp import web

from tests.servers import DB

COMMENTS: Final = 5
SENTENCE: Final = "a comment of nine words is what stands here "
DELAY: Final = 0.02


def post(number: int) -> dict[str, Any]:
    """Return a post as served; its length depends on the number."""
    body = SENTENCE * (1 + number % 7)
    return {"userId": 1 + number % 10, "id": number, "title": f"Post {number}", "body": body}


def comments(number: int) -> list[dict[str, Any]]:
    """Return the comments of a post as served."""
    return [
        {
            "postId": number,
            "id": COMMENTS * number + n,
            "name": f"Comment {n}",
            "email": f"{n}@blog.example",
            "body": SENTENCE * (1 + n),
        }
        for n in range(COMMENTS)
    ]


@dataclass(frozen=True, slots=True)
class Service:
    """Client of the running service."""

    url: str

    def counted(self) -> tuple[int, int]:
        """Return the number of calls since the last count, and the most at the same time."""
        with urlopen(f"{self.url}/counted") as answer:
            counts = json.load(answer)
        return counts["calls"], counts["at_once"]


@contextmanager
def service(delay: float = DELAY) -> Iterator[Service]:
    """Run the service; it ends with this process, even if that is killed."""
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
            yield Service(f"http://127.0.0.1:{int(process.stdout.readline())}")
        finally:
            process.terminate()


class Blog:
    """Answers each call after a delay, and counts the calls."""

    def __init__(self, delay: float) -> None:
        self._delay = delay
        self._calls = self._open = self._at_once = 0

    async def post(self, request: web.Request) -> web.Response:
        """Answer `/posts/7`."""
        return await self._answer(post(int(request.match_info["number"])))

    async def comments(self, request: web.Request) -> web.Response:
        """Answer `/comments?postId=7`."""
        return await self._answer(comments(int(request.query["postId"])))

    async def counted(self, _: web.Request) -> web.Response:
        """Answer `/counted`, and reset the counts."""
        counts = {"calls": self._calls, "at_once": self._at_once}
        self._calls = self._at_once = 0
        return web.json_response(counts)

    async def _answer(self, what: Any) -> web.Response:
        self._calls += 1
        self._open += 1
        self._at_once = max(self._at_once, self._open)
        try:
            await asyncio.sleep(self._delay)
            return web.json_response(what)
        finally:
            self._open -= 1


async def serve(delay: float) -> None:
    """Serve until standard input ends."""
    ended, blog, app = asyncio.Event(), Blog(delay), web.Application()
    asyncio.get_running_loop().add_reader(sys.stdin, ended.set)
    app.router.add_get("/posts/{number}", blog.post)
    app.router.add_get("/comments", blog.comments)
    app.router.add_get("/counted", blog.counted)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(runner.addresses[0][1], flush=True)
    await ended.wait()
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(serve(float(sys.argv[1])))

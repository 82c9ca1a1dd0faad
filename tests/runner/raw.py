"""Server without an HTTP library: it records each request's bytes and answers with given bytes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field


def plain(body: bytes = b"ok", *headers: bytes, status: bytes = b"200 OK") -> bytes:
    """Return an answer with these headers."""
    lines = (b"HTTP/1.1 " + status, *headers, b"Content-Length: %d" % len(body))
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def as_json(body: bytes, *headers: bytes, status: bytes = b"200 OK") -> bytes:
    """Return a JSON answer with these headers."""
    return plain(body, b"Content-Type: application/json", *headers, status=status)


@dataclass
class Raw:
    """The server; it sends `answer` to each request, and closes the connection if the answer says so."""

    url: str = ""
    answer: bytes | Callable[[bytes], bytes] = field(default_factory=plain)
    heads: list[bytes] = field(default_factory=list)
    connections: list[asyncio.StreamWriter] = field(default_factory=list)

    @property
    def lines(self) -> list[str]:
        """Return the received request lines."""
        return [head.split(b"\r\n")[0].decode("latin-1") for head in self.heads]

    @property
    def targets(self) -> list[str]:
        """Return the targets of the requests."""
        return [line.split(" ")[1] for line in self.lines]

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer requests on one connection until it ends."""
        self.connections.append(writer)
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                self.heads.append(head)
                answer = self.answer(head) if callable(self.answer) else self.answer
                writer.write(answer)
                await writer.drain()
                if b"connection: close" in answer.lower():
                    break
        writer.close()


@asynccontextmanager
async def open_raw() -> AsyncIterator[Raw]:
    """Run the server on a free port of 127.0.0.1."""
    raw = Raw()
    server = await asyncio.start_server(raw.handle, "127.0.0.1", 0, limit=1 << 22)
    raw.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield raw
    finally:
        server.close()
        for writer in raw.connections:
            writer.close()

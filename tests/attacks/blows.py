"""Means to attack a system: a server on its own small disk, and a connection that can be held or cut."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from headgate.embedded.server import Server
from tests.limits import PATIENCE, wait_until
from tests.servers import PARAMETERS, copy_data, scratch_folder

DISK_MEGABYTES = 700
SMALL_WAL = {"max_wal_size": "96MB", "min_wal_size": "32MB"}


class Ground:
    """A server that can be stopped at any moment, on a small disk if one can be mounted."""

    def __init__(self, home: Path, *, has_disk: bool) -> None:
        self.home = home
        self.has_disk = has_disk
        self.server = Server(home)
        self._ballast = home / "ballast"

    def start(self) -> None:
        """Start the server unless it runs."""
        self.server.start(parameters={**PARAMETERS, **SMALL_WAL})

    def stop_at_once(self) -> None:
        """Stop the server like `pg_ctl -m immediate`; uncommitted work is lost."""
        running = self.server.running()
        if running is not None:
            os.kill(running.pid, signal.SIGQUIT)
            wait_until(lambda: not psutil.pid_exists(running.pid), "the end of the server")

    def fill(self) -> None:
        """Fill the disk completely."""
        try:
            with self._ballast.open("wb") as file:  # this may fail too, if no block is free
                while True:
                    file.write(bytes(1 << 20))
                    file.flush()
        except OSError as exc:
            assert exc.errno == errno.ENOSPC, exc

    def empty(self) -> None:
        """Free the disk space."""
        self._ballast.unlink(missing_ok=True)


@contextmanager
def ground(data: Path) -> Iterator[Ground]:
    """Run a server on a copy of a stopped one's data in its own folder, on a tmpfs if one can be mounted."""
    with scratch_folder() as folder:
        disk = folder / "disk"
        disk.mkdir()
        options = f"size={DISK_MEGABYTES}m,mode=755"
        mount = ["mount", "-t", "tmpfs", "-o", options, "headgate-test", str(disk)]
        has_disk = False
        with contextlib.suppress(FileNotFoundError):
            has_disk = subprocess.run(mount, capture_output=True).returncode == 0
        there = Ground(disk, has_disk=has_disk)
        try:
            copy_data(data, there.server.data)
            there.start()
            yield there
        finally:
            there.empty()
            there.stop_at_once()
            if has_disk:
                subprocess.run(["umount", "-l", str(disk)], check=True)


class Line:
    """A TCP proxy to a server's socket that can be held (half open, without notice to either end) and cut."""

    def __init__(self, socket_path: str) -> None:
        self.port = 0
        self._socket_path = socket_path
        self._loop = asyncio.new_event_loop()
        self._flows = asyncio.Event()
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_open = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Line:
        self._thread.start()
        assert self._is_open.wait(PATIENCE), "the line does not open"
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._end)
        self._thread.join(PATIENCE)

    def hold(self) -> None:
        """Stop forwarding in both directions; connections stay open."""
        self._loop.call_soon_threadsafe(self._flows.clear)

    def cut(self) -> None:
        """Reset all connections; new ones are forwarded."""
        self._loop.call_soon_threadsafe(self._cut)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._flows.set()
        serving = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.port = serving.sockets[0].getsockname()[1]
        self._is_open.set()
        self._loop.run_forever()
        serving.close()
        self._loop.run_until_complete(asyncio.gather(*self._tasks, return_exceptions=True))
        self._loop.close()

    def _end(self) -> None:
        self._cut()
        for task in self._tasks:
            task.cancel()
        self._loop.stop()

    def _cut(self) -> None:
        self._flows.set()
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            behind, before = await asyncio.open_unix_connection(self._socket_path)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, before}
        for source, target in ((reader, before), (behind, writer)):
            task = self._loop.create_task(self._pump(source, target))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pump(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(65536):
                await self._flows.wait()
                target.write(data)
                await target.drain()
        target.transport.abort()

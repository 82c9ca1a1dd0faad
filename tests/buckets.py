"""An S3 server for tests, on a port of 127.0.0.1, that can be killed: localbucket, whose buckets are folders."""

from __future__ import annotations

import itertools
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.limits import wait_until
from tests.servers import free_port

KEY_ID, SECRET = "BUCKET_KEY_ID", "BUCKET_SECRET"
"""The environment variables that stores name; the server takes any value."""
COUNTER = itertools.count(1)


class S3Server:
    """The server's process and the folder of its buckets."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self._log = folder / "requests.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """Return the endpoint of its stores."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def requests(self) -> int:
        """Return how many requests it has answered."""
        return self._log.read_bytes().count(b' HTTP/1.1" ')

    def bucket(self) -> str:
        """Make a bucket of a new name."""
        name = f"bucket-{next(COUNTER)}"
        (self.folder / name).mkdir()
        return name

    def start(self) -> None:
        """Start it, and wait until it answers."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "localbucket", str(self.folder), "--port", str(self.port)],
                stdout=subprocess.DEVNULL,
                stderr=log,
            )
        wait_until(lambda: answers(self.address), "the S3 server")

    def kill(self) -> None:
        """Kill it."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()


def answers(address: str) -> bool:
    """Return whether a server answers, be it by an error."""
    try:
        urllib.request.urlopen(address, timeout=1).close()
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


@contextmanager
def s3_server(folder: Path) -> Iterator[S3Server]:
    """Run a server until the end of the block."""
    server = S3Server(folder)
    server.start()
    try:
        yield server
    finally:
        server.kill()

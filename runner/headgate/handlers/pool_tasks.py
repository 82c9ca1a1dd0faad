"""Tasks on their way to a process, and rows on their way back, in memory that both sides share.

The runner writes the task there and says its length on a pipe, and the process reads it in place.
Its rows take the same way back. A pipe alone takes 64 KB at a time: a chunk's series can cost more
there than their handler does.
"""

from __future__ import annotations

import mmap
import os
import pickle
import tempfile
from typing import IO, Final

from headgate.handlers.pool_messages import Work

KEPT: Final = 8 * 2**20
"""Bytes that a process keeps from task to task: the kernel need not clear them again."""


class TaskMemory:
    """The runner's side: memory for one task at a time."""

    def __init__(self) -> None:
        self._file: IO[bytes]
        if hasattr(os, "memfd_create"):
            self._file = os.fdopen(os.memfd_create("headgate task"), "wb")
        else:
            self._file = tempfile.TemporaryFile()
        self.descriptor = self._file.fileno()

    def put(self, task: Work) -> int:
        """Write a task in the place of the last one; return its length in bytes."""
        self._file.seek(0)
        pickle.dump(task, self._file, pickle.HIGHEST_PROTOCOL)
        self._file.flush()
        return self._file.tell()

    def take(self, length: int) -> bytes:
        """Return a copy of an answer's rows: less than `length` if there are not as many bytes."""
        return b"" if self._file.closed else os.pread(self.descriptor, length, 0)

    def shrink(self) -> None:
        """Give back what a large task or answer took."""
        if not self._file.closed and os.fstat(self.descriptor).st_size > KEPT:
            self._file.truncate(KEPT)

    def close(self) -> None:
        """Give all of it back; nothing happens the second time."""
        self._file.close()


def take_task(descriptor: int, length: int) -> Work:
    """Read a task of this length, on the side of the process."""
    with mmap.mmap(descriptor, length, prot=mmap.PROT_READ) as body:
        task: Work = pickle.loads(body)
        return task


def put_rows(descriptor: int, rows: bytes) -> None:
    """Write the rows of the task that has been taken in its place, on the side of the process."""
    written = 0
    while written < len(rows):
        written += os.pwrite(descriptor, memoryview(rows)[written:], written)

"""The process in which handlers run: hears of tasks on standard input, answers on its output.

    python -m headgate.handlers.pool_process RUNNER MEMORY

RUNNER is the runner's process, MEMORY the descriptor of the memory that holds the task, and then
the rows of its answer. What a handler prints goes to standard error, which the runner drains. A
handler that takes more memory than allowed gets a MemoryError. After that, or if a handler leaves
processes behind, the process ends.
"""

from __future__ import annotations

import contextlib
import ctypes
import io
import os
import resource
import struct
import sys
from typing import Final

from headgate.handlers.pool_keeper import go_on_kept
from headgate.handlers.pool_messages import LENGTHS, Done, Parsing, Work, head_of
from headgate.handlers.pool_tasks import put_rows, take_task
from headgate.memory import peak_bytes

LENGTH: Final = struct.Struct(">Q")


def main() -> None:
    """Run tasks until there is no more input."""
    go_on_kept(int(sys.argv[1]))
    memory = int(sys.argv[2])
    os.set_inheritable(memory, False)
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)  # else prints wait for the end, which is a kill
    tasks = os.fdopen(os.dup(0), "rb")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)

    process = os.getpid()
    while header := tasks.read(LENGTH.size):
        task = take_task(memory, *LENGTH.unpack(header))
        _limit_memory(task.max_memory)
        _forget_peak()
        spent = _cpu_seconds()
        try:
            done = _do(task)
        except MemoryError:
            done = Done([], lost=f"it needed more than {task.max_memory // 2**20} MB of memory")
        if os.getpid() != process:
            os._exit(0)  # this is a child that a handler forked
        _limit_memory(None)
        if (kept := _data_bytes()) > task.max_memory // 2:
            _give_memory_back()
            kept = _data_bytes()
        if _has_children():
            done.must_end = "it left processes behind"
        elif done.lost or kept > task.max_memory // 2:
            done.must_end = done.lost or f"it keeps {kept >> 20} MB of memory"
        done.peak_memory = peak_bytes()
        done.cpu_seconds = _cpu_seconds() - spent
        put_rows(memory, done.rows)
        head = head_of(done)
        answers.write(LENGTHS.pack(len(head), len(done.rows)) + head)
        answers.flush()
        del task, done


def _do(task: Work) -> Done:
    """Run a task; imports happen here, so that their output is drained like the handler's."""
    from headgate.handlers.pandas_apart import keep_apart

    keep_apart(task.place)
    if isinstance(task, Parsing):
        from headgate.handlers.parse import parse

        return parse(task)
    from headgate.handlers.task import compute

    return compute(task)


def _limit_memory(limit: int | None) -> None:
    """Limit the memory of the process; beyond the limit, Python raises MemoryError."""
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (hard if limit is None else limit, hard))


def _data_bytes() -> int:
    """Return the bytes of the process's private memory; 0 if the system does not report it."""
    try:
        with open("/proc/self/statm") as file:
            fields = file.read().split()
    except OSError:
        return 0
    return (int(fields[1]) - int(fields[2])) * resource.getpagesize()


def _give_memory_back() -> None:
    """Give back what the C library keeps for later; it may be one that cannot."""
    with contextlib.suppress(AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _forget_peak() -> None:
    """Reset the peak of memory, if the system supports it."""
    try:
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")
    except OSError:
        pass


def _has_children() -> bool:
    """Return whether a child process of a handler still runs; reap those that have ended."""
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return False
        if pid == 0:
            return True


if __name__ == "__main__":
    main()

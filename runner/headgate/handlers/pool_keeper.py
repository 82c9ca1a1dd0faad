"""The keeper: the parent of a process that runs handlers, which kills all that it leaves behind.

A process that a handler starts may leave the process group (by a new session, or as a daemon that
forks twice). On Linux it cannot leave its keeper: orphans become the keeper's children. The keeper
kills them when the handlers' process has ended, on SIGTERM, or when the runner is gone.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import sys
from pathlib import Path
from typing import Final, NoReturn

SIGNAL_AT_PARENTS_END: Final = 1
ADOPT_ORPHANS: Final = 36


class _Told(Exception):
    """The keeper has received SIGTERM."""


def go_on_kept(runner: int) -> None:
    """Fork; return in the child process, while the parent becomes its keeper.

    If the runner was killed meanwhile, no signal comes, and nobody would end this process.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the worker, which ends us
    if sys.platform != "linux":
        return
    signal.signal(signal.SIGTERM, _tell)
    _control(SIGNAL_AT_PARENTS_END, signal.SIGTERM)
    if os.getppid() != runner:
        os._exit(1)
    _control(ADOPT_ORPHANS, 1)
    keeper = os.getpid()
    process = os.fork()
    if process:
        _keep(process)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    _control(SIGNAL_AT_PARENTS_END, signal.SIGKILL)
    _control(ADOPT_ORPHANS, 1)  # to see processes that handlers leave behind
    if os.getppid() != keeper:
        os._exit(1)


def _keep(process: int) -> NoReturn:
    for stream in range(3):
        os.close(stream)  # only the process holds the pipes, which end with it
    status = signal.SIGKILL.value
    with contextlib.suppress(_Told):
        while (ended := os.waitpid(-1, 0))[0] != process:
            pass
        status = ended[1]
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    _kill_children()
    if os.WIFSIGNALED(status):  # end by the same signal as the process
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        number = os.WTERMSIG(status)
        if number != signal.SIGKILL:
            signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    os._exit(os.waitstatus_to_exitcode(status) & 0xFF)


def _kill_children() -> None:
    """Kill children until there are none; their children become ours and are killed next."""
    with contextlib.suppress(ChildProcessError):
        while True:
            for child in children_of(os.getpid()):
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(child, signal.SIGKILL)
            os.waitpid(-1, 0)


def children_of(parent: int) -> list[int]:
    """Return the ids of a process's children."""
    children = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            _, _, fields = (folder / "stat").read_text().rpartition(")")
            if int(fields.split()[1]) == parent:
                children.append(int(folder.name))
    return children


def _control(option: int, value: int) -> None:
    ctypes.CDLL(None).prctl(option, value)


def _tell(*_: object) -> NoReturn:
    raise _Told

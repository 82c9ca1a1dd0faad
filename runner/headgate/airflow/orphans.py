"""Lock for one stack at a time, and cleanup of processes left by a killed supervisor."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from headgate import files
from headgate.errors import HeadgateError

STOP_SECONDS: Final = 20.0
STATE, SESSION, START = 0, 3, 19
"""Indexes of fields in /proc/PID/stat, counted after the process name."""


def end_groups(groups: Iterable[int], number: signal.Signals) -> None:
    """Send a signal to the remaining processes of these groups."""
    for group in groups:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, number)


def state_file(folder: Path) -> Path:
    """Return the path of the file that lists the running processes."""
    return folder / "stack.json"


def lock_file(folder: Path) -> Path:
    """Return the path of the file that the running stack's supervisor keeps locked."""
    return folder / "stack.lock"


@contextmanager
def alone(folder: Path) -> Iterator[bool]:
    """Hold the supervisor's lock and write this process into it; yield False if it is taken."""
    files.private_folder(folder)
    with files.append(lock_file(folder)) as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            lock.truncate(0)
            known = {"pid": os.getpid(), "birth": birth(os.getpid())}
            lock.write(json.dumps(known).encode())
            lock.flush()
            yield True


def holder(folder: Path) -> int | None:
    """Return the lock holder's process number; None if it is not written yet or has just ended."""
    try:
        known = json.loads(lock_file(folder).read_text())
    except ValueError:
        return None
    pid: int = known["pid"]
    return pid if birth(pid) == known["birth"] else None


def read_state(folder: Path) -> dict[str, Any]:
    """Return the contents of the state file; {} if there is none."""
    try:
        known: dict[str, Any] = json.loads(state_file(folder).read_text())
    except FileNotFoundError:
        return {}
    return known


def end_orphans(folder: Path) -> int:
    """End the processes of a killed supervisor and return their number; needs the lock.

    Raises HeadgateError if some do not end.
    """
    state = read_state(folder)
    began = {int(pid): at for pid, at in state.get("groups", {}).items()}
    found: set[int] = set()
    for number in (signal.SIGTERM, signal.SIGKILL):
        deadline = time.monotonic() + STOP_SECONDS
        told: set[int] = set()
        while (left := orphans(folder, began)) and time.monotonic() < deadline:
            for pid in left - told:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, number)
            told |= left
            time.sleep(0.1)
        found |= told
    if left:
        raise HeadgateError(
            f"processes that an earlier start has left do not end: {sorted(left)}",
            hint="end them as the user who started them",
        )
    state_file(folder).unlink(missing_ok=True)
    return len(found)


def orphans(folder: Path, began: Mapping[int, str]) -> set[int]:
    """Return the processes of these sessions, given by their leaders' numbers and births.

    A leader's number may have been reused; a different birth shows that. If the leader has ended,
    processes of its session whose working directory is `folder` count as orphans.
    """
    strangers = {x for x, at in began.items() if birth(x) not in (at, None)}
    found = set()
    for entry in Path("/proc").glob("[0-9]*"):
        fields = _fields(int(entry.name))
        if fields is None or int(fields[SESSION]) not in began.keys() - strangers:
            continue
        if birth(int(fields[SESSION])) is not None or _works_in(entry, folder):
            found.add(int(entry.name))
    return found


def birth(pid: int) -> str | None:
    """Return a process's start in clock ticks, with the boot's id; None if it does not run."""
    fields = _fields(pid)
    if fields is None:
        return None
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return f"{fields[START]} of {boot}"


def _fields(pid: int) -> list[str] | None:
    """Return a running process's fields of /proc/PID/stat from its state on; None if it ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[STATE] in "ZX" else fields


def _works_in(entry: Path, folder: Path) -> bool:
    try:
        return (entry / "cwd").resolve(strict=True) == folder.resolve()
    except OSError:
        return False

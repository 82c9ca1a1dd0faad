"""One stack at a time; what a supervisor that was killed has left is ended by the next one."""

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
"""Places in /proc/PID/stat, after the name."""


def end_groups(groups: Iterable[int], number: signal.Signals) -> None:
    """Send a signal to what is left of these groups."""
    for group in groups:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, number)


def state_file(folder: Path) -> Path:
    """Return the file that names what runs."""
    return folder / "stack.json"


def lock_file(folder: Path) -> Path:
    """Return the file that one holds who runs the stack."""
    return folder / "stack.lock"


@contextmanager
def alone(folder: Path) -> Iterator[bool]:
    """Hold the lock of the one who runs the stack, and say in it who; False: somebody else does."""
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
    """Return who holds the lock; None while that is being written, or he has just ended."""
    try:
        known = json.loads(lock_file(folder).read_text())
    except ValueError:
        return None
    pid: int = known["pid"]
    return pid if birth(pid) == known["birth"] else None


def read_state(folder: Path) -> dict[str, Any]:
    """Return what the file says; nothing when there is none."""
    try:
        known: dict[str, Any] = json.loads(state_file(folder).read_text())
    except FileNotFoundError:
        return {}
    return known


def end_orphans(folder: Path) -> int:
    """End what a supervisor that was killed has left; to be called with the lock held."""
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

    A leader's number may be a stranger's by now: his birth is another. Where the leader has ended,
    those of his session who work in our folder are ours.
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
    """Return when a process began, in ticks of which boot; None: there is none, or a dead one."""
    fields = _fields(pid)
    if fields is None:
        return None
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return f"{fields[START]} of {boot}"


def _fields(pid: int) -> list[str] | None:
    """Return what the kernel says of a process that lives, from its state on."""
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

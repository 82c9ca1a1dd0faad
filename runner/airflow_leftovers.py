"""One stack at a time; what a supervisor that was killed has left is ended by the next one."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

STOP_SECONDS: Final = 20.0


def end_groups(groups: Iterable[int], number: signal.Signals) -> None:
    """Send a signal to what is left of these groups."""
    for group in groups:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, number)


def state_file(folder: Path) -> Path:
    """Return the file that names what runs."""
    return folder / "stack.json"


@contextmanager
def alone(folder: Path) -> Iterator[bool]:
    """Hold the lock of the one who runs the stack; False: somebody else does."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "stack.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


def read_state(folder: Path) -> dict[str, Any]:
    """Return what the file says; nothing when there is none."""
    try:
        known: dict[str, Any] = json.loads(state_file(folder).read_text())
    except FileNotFoundError:
        return {}
    return known


def end_leftovers(folder: Path) -> int:
    """End what a supervisor that was killed has left; to be called with the lock held."""
    groups = read_state(folder).get("groups", {})
    left = {int(pid) for pid, birth in groups.items() if birth(int(pid)) == birth}
    end_groups(left, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while any(birth(pid) for pid in left) and time.monotonic() < deadline:
        time.sleep(0.1)
    end_groups(left, signal.SIGKILL)
    state_file(folder).unlink(missing_ok=True)
    return len(left)


def birth(pid: int) -> str | None:
    """Return when a process began, in the kernel's ticks; None: there is none, or a dead one."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else fields[19]

"""Files written whole or not at all, and never through another user's link or file.

Each file is written under an unguessable name, created exclusively (O_EXCL, O_NOFOLLOW), and
renamed when complete. No byte reaches a link planted by another user or a file that others can
read.
"""

from __future__ import annotations

import errno
import fcntl
import os
import pwd
import re
import secrets
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Final

from headgate.errors import HeadgateError

OURS: Final = 0o600
FOLDER: Final = 0o700
NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
NO_LINKS: Final = (errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK)
"""Errors of a file system without hard links."""
FULL: Final = (errno.ENOSPC, errno.EDQUOT)
LONGEST_NAME: Final = 100
LOCK_SECONDS: Final = 180.0
"""Seconds to wait for a lock: longer than a server takes to stop and start."""
STRANGER_SECONDS: Final = 5.0
"""Seconds to wait for a lock that another user's process holds."""


class DiskFull(HeadgateError):
    """No space is left for files."""


def refuse_full_disk(exc: BaseException | None) -> None:
    """Raise DiskFull if an error, or one that it followed, means that the disk is full."""
    while exc is not None:
        if isinstance(exc, OSError) and exc.errno in FULL:
            raise DiskFull(
                f"no space is left for files in {tempfile.gettempdir()}: "
                "free some, or set TMPDIR of the runner to another disk"
            ) from exc
        exc = exc.__cause__ or exc.__context__


@contextmanager
def replacing(path: Path, *, is_shared: bool = False, is_new: bool = False) -> Iterator[IO[bytes]]:
    """Open a draft that replaces the file when complete; on an error the old file stays.

    Only the owner may read the file; with `is_shared` the umask decides, once the file is whole.
    Raises HeadgateError if the path is a link or not a regular file, and FileExistsError if
    `is_new` and the file exists.
    """
    _require_regular(path)
    draft = path.with_name(f".{path.name[:LONGEST_NAME]}.{secrets.token_hex(8)}.part")
    descriptor = os.open(draft, NEW, OURS)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            if is_shared:
                os.fchmod(file.fileno(), 0o666 & ~_umask())
            os.fsync(file.fileno())
        if is_new:
            _name_anew(draft, path)
        else:
            draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def write(path: Path, text: str, *, is_shared: bool = False) -> None:
    """Replace a file's text atomically."""
    with replacing(path, is_shared=is_shared) as file:
        file.write(text.encode())


def append(path: Path) -> IO[bytes]:
    """Open a private file for appending; raises HeadgateError if the path is a link."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        return os.fdopen(os.open(path, flags, OURS), "ab")
    except OSError as exc:
        if exc.errno != errno.ELOOP:
            raise
        raise _in_the_way(path, "a symbolic link") from exc


def private_folder(path: Path, mode: int = FOLDER) -> None:
    """Create a folder closed to other users; close an existing one that this user owns.

    The mode of a shared (sticky) folder and of the home folder is not changed.
    """
    path.mkdir(mode, parents=True, exist_ok=True)
    status = path.stat()
    is_public = bool(status.st_mode & stat.S_ISVTX) or path.resolve() == Path.home().resolve()
    if status.st_uid == os.geteuid() and not is_public:
        path.chmod(mode)


def name_of(text: str) -> str:
    """Return a text as a safe file name: no separators, no leading dot or dash, limited length."""
    name = re.sub(r"[/\\:\0-\x1f\x7f]", "_", text)
    return re.sub(r"^[.-]", "_", name)[:LONGEST_NAME] or "_"


@contextmanager
def locked(path: Path, seconds: float = LOCK_SECONDS) -> Iterator[None]:
    """Hold a file lock, which a crash frees.

    Raises HeadgateError that names the holder if the lock is not free within `seconds`.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(path, flags, OURS)
    try:
        with suppress(PermissionError):  # another user owns the file: root works on their behalf
            os.fchmod(descriptor, OURS)
        _wait_for(descriptor, path, seconds)
        yield
    finally:
        os.close(descriptor)


def _wait_for(descriptor: int, path: Path, seconds: float) -> None:
    began = time.monotonic()
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            waited = time.monotonic() - began
        holders = _holders(descriptor)
        strangers = [x for x in holders if x[1] not in (0, os.geteuid())]
        if waited > (min(seconds, STRANGER_SECONDS) if strangers else seconds):
            raise HeadgateError(
                f"{path} is locked by {_named(strangers or holders)}",
                hint="end that process, or ask its owner to; HEADGATE_HOME names another folder",
            )
        time.sleep(0.05)


def _holders(descriptor: int) -> list[tuple[int, int]]:
    """Return process and user numbers of a lock's holders; [] where /proc/locks has none."""
    status = os.fstat(descriptor)
    device = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}"
    found = []
    with suppress(OSError):
        for line in Path("/proc/locks").read_text().splitlines():
            fields = line.split()
            if "->" not in fields and fields[5] == device and int(fields[4]) > 0:
                with suppress(OSError):
                    pid = int(fields[4])
                    found.append((pid, os.stat(f"/proc/{pid}").st_uid))
    return found


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _named(holders: list[tuple[int, int]]) -> str:
    return ", ".join(f"process {x} of {_user(y)}" for x, y in holders) or "another process"


def _user(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"user {number}"


def _require_regular(path: Path) -> None:
    if path.is_symlink():
        raise _in_the_way(path, "a symbolic link")
    if path.exists() and not path.is_file():
        raise _in_the_way(path, "no regular file")


def _in_the_way(path: Path, what: str) -> HeadgateError:
    return HeadgateError(f"{path} is {what}: nothing was written", hint="name another file")


def _name_anew(draft: Path, path: Path) -> None:
    """Rename the draft unless the name is taken; raises FileExistsError if it is."""
    try:
        os.link(draft, path, follow_symlinks=False)
    except OSError as exc:
        if exc.errno not in NO_LINKS:
            raise
        os.close(os.open(path, NEW, OURS))  # claims the name: no other file can be replaced
        draft.replace(path)

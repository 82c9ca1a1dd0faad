"""Files are written whole or not at all, privately, and never through another user's link."""

from __future__ import annotations

import fcntl
import os
import re
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from headgate import files
from headgate.errors import HeadgateError
from tests.limits import wait_until

HOLD = """
import fcntl, sys
lock = open(sys.argv[1], "a")
fcntl.flock(lock, int(sys.argv[2]))
print("held", flush=True)
sys.stdin.read()
"""


def append(path: Path, text: str) -> None:
    with files.append(path) as file:
        file.write(text.encode())


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def names(folder: Path) -> set[str]:
    return {x.name for x in folder.iterdir()}


def test_a_file_appears_when_it_is_whole_and_is_ours_alone(tmp_path: Path):
    path = tmp_path / "file"
    path.write_text("before")
    path.chmod(0o666)

    with files.replacing(path) as draft:
        draft.write(b"after")
        draft.flush()
        (scratch,) = names(tmp_path) - {"file"}
        assert (path.read_text(), mode(tmp_path / scratch)) == ("before", 0o600)

    assert (path.read_text(), mode(path), names(tmp_path)) == ("after", 0o600, {"file"})


@pytest.mark.parametrize(("mask", "expected"), [(0o022, 0o644), (0o077, 0o600), (0o007, 0o660)])
def test_a_shared_file_may_be_read_as_the_umask_says(tmp_path: Path, mask: int, expected: int):
    before = os.umask(mask)
    try:
        files.write(tmp_path / "page", "é", is_shared=True)
    finally:
        os.umask(before)

    assert (mode(tmp_path / "page"), (tmp_path / "page").read_bytes()) == (expected, "é".encode())


def test_an_interrupted_write_leaves_the_old_file(tmp_path: Path):
    path = tmp_path / "file"
    path.write_text("before")

    with pytest.raises(ZeroDivisionError), files.replacing(path) as draft:
        draft.write(b"half of")
        raise ZeroDivisionError

    assert (path.read_text(), names(tmp_path)) == ("before", {"file"})


@pytest.mark.parametrize("target", ["there", "not there"])
def test_nothing_is_written_where_a_link_leads(tmp_path: Path, target: str):
    victim, path = tmp_path / "victim", tmp_path / "file"
    if target == "there":
        victim.write_text("precious")
    path.symlink_to(victim)

    for write in (files.write, append):
        with pytest.raises(HeadgateError, match="is a symbolic link: nothing was written"):
            write(path, "data")

    assert (victim.read_text() if victim.exists() else None) == (
        "precious" if target == "there" else None
    )


def test_a_link_that_comes_while_it_is_written_is_replaced_and_not_followed(tmp_path: Path):
    victim, path = tmp_path / "victim", tmp_path / "file"
    victim.write_text("precious")

    with files.replacing(path) as draft:
        draft.write(b"data")
        path.symlink_to(victim)

    assert (victim.read_text(), path.read_text(), path.is_symlink()) == ("precious", "data", False)


def test_a_pipe_somebody_listens_at_receives_nothing(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe", 0o666)

    with pytest.raises(HeadgateError, match="is no regular file"):
        files.write(tmp_path / "pipe", "data")


@pytest.mark.parametrize("has_links", [True, False])
def test_a_new_file_overwrites_no_other(tmp_path: Path, monkeypatch, has_links: bool):
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(1, "a file system without second names")

    if not has_links:
        monkeypatch.setattr(os, "link", refuse)
    with files.replacing(tmp_path / "new", is_new=True) as draft:
        draft.write(b"data")
    with (
        pytest.raises(FileExistsError),
        files.replacing(tmp_path / "taken", is_new=True) as draft,
    ):
        draft.write(b"data")
        (tmp_path / "taken").symlink_to(tmp_path / "new")

    assert (tmp_path / "new").read_text() == "data"
    assert names(tmp_path) == {"new", "taken"}


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("AAPL.US", "AAPL.US"),
        ("../../etc/passwd", "_._.._etc_passwd"),
        ("BRK/B.US", "BRK_B.US"),
        ("..", "_."),
        ("-rf", "_rf"),
        ("", "_"),
        ("a\nb\0c:d\\e", "a_b_c_d_e"),
        ("x" * 300, "x" * 100),
    ],
)
def test_any_text_is_the_name_of_one_file_in_one_folder(text: str, name: str):
    assert files.name_of(text) == name
    assert re.fullmatch(r"[^/\0]+", name) and name not in (".", "..")


def test_a_folder_of_ours_is_closed_and_everybodys_is_left_alone(tmp_path: Path):
    ours, everybodys = tmp_path / "a" / "ours", tmp_path / "everybodys"
    everybodys.mkdir()
    everybodys.chmod(0o1777)

    files.private_folder(ours)
    ours.chmod(0o755)
    files.private_folder(ours)
    files.private_folder(everybodys)

    assert (mode(ours), stat.S_IMODE(everybodys.stat().st_mode)) == (0o700, 0o1777)


def test_a_lock_has_one_holder_at_a_time(tmp_path: Path):
    inside: list[int] = []
    most: list[int] = []

    def work(number: int) -> None:
        with files.locked(tmp_path / "lock"):
            inside.append(number)
            most.append(len(inside))
            inside.remove(number)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(20)))

    assert set(most) == {1}
    assert mode(tmp_path / "lock") == 0o600


@pytest.mark.parametrize("kind", [fcntl.LOCK_EX, fcntl.LOCK_SH])
def test_the_holder_of_a_lock_is_named_after_a_wait(tmp_path: Path, kind: int):
    path = tmp_path / "lock"
    command = [sys.executable, "-c", HOLD, str(path), str(kind)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None and holder.stdout.readline()
        with (
            pytest.raises(HeadgateError, match=rf"is locked by process {holder.pid} of \w+$"),
            files.locked(path, seconds=0.1),
        ):
            pass
        holder.kill()
    wait_until(lambda: held(path), "the lock, once its holder has ended")


def held(path: Path) -> bool:
    with files.locked(path):
        return True


def test_no_lock_is_taken_through_a_link(tmp_path: Path):
    (tmp_path / "lock").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(OSError, match="Too many levels"), files.locked(tmp_path / "lock"):
        pass
    assert not (tmp_path / "elsewhere").exists()

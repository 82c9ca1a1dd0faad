"""Two users of one machine: files that one leaves in a shared folder neither mislead nor delay the other."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from headgate import files
from headgate.embedded.server import Server
from headgate.errors import HeadgateError
from headgate.settings import Settings
from tests.runner.conftest import Run, core, core_database, run

__all__ = ["core", "core_database", "run"]

STRANGER = "nobody"
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as another user")


def as_stranger(command: str, folder: Path) -> subprocess.Popen[str]:
    """Start a command as another user."""
    return subprocess.Popen(
        ["/bin/sh", "-c", command],
        cwd=folder,
        user=STRANGER,
        group="nogroup",
        extra_groups=[],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def strangers(command: str, folder: Path) -> str:
    """Return what another user sees of a command."""
    return as_stranger(command, folder).communicate()[0]


@pytest.fixture
def everybodys() -> Iterator[Path]:
    """Make a folder like /tmp."""
    folder = Path(tempfile.mkdtemp(dir="/tmp"))
    folder.chmod(0o1777)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def victim(everybodys: Path) -> Path:
    path = everybodys / "victim"
    path.write_text("precious")
    return path


def test_a_backup_goes_through_no_link_and_into_no_draft_of_another_user(
    core: Settings, run: Run, everybodys: Path, victim: Path
):
    strangers("umask 0; touch b.dump.part .b.dump.part; ln -s victim c.dump.part", everybodys)
    strangers("ln -s victim linked.dump; ln -s not-there dangling.dump", everybodys)

    for name in ("b.dump", "c.dump"):
        done = run("backup", str(everybodys / name), settings=core)
        assert (done.code, stat.S_IMODE((everybodys / name).stat().st_mode)) == (0, 0o600), done.err
        assert (everybodys / name).stat().st_size > 10_000
        assert "Permission denied" in strangers(f"cat {name}", everybodys)
    for name, reason in (("linked", "already exists"), ("dangling", "is a symbolic link")):
        done = run("backup", str(everybodys / f"{name}.dump"), settings=core)
        assert (done.code, reason in done.err) == (1, True), done.err

    assert victim.read_text() == "precious"
    assert not (everybodys / "not-there").exists()
    assert [(everybodys / x).stat().st_size for x in ("b.dump.part", ".b.dump.part")] == [0, 0]


def test_another_user_can_neither_lock_nor_read_what_is_in_our_folder(everybodys: Path):
    home = everybodys / "home"
    home.mkdir(mode=0o755)
    (home / "server.lock").touch(mode=0o644)
    Server(home).password("headgate_reader")

    assert "Permission denied" in strangers("flock home/server.lock true 2>&1", everybodys)
    assert "Permission denied" in strangers("cat home/passwords.json", everybodys)
    assert "Permission denied" in strangers("ls home", everybodys)


def test_another_user_s_lock_from_before_is_reported_with_his_name(everybodys: Path, monkeypatch):
    monkeypatch.setattr(files, "STRANGER_SECONDS", 0.1)
    home = everybodys / "home"
    home.mkdir(mode=0o755)
    (home / "server.lock").touch()
    (home / "server.lock").chmod(0o666)
    holder = as_stranger("exec flock home/server.lock sh -c 'echo held; sleep 9876'", everybodys)
    try:
        assert holder.stdout is not None and holder.stdout.readline() == "held\n"
        with pytest.raises(HeadgateError, match=r"server.lock is locked by .* of nobody") as told:
            Server(home).start()
    finally:
        os.killpg(holder.pid, 9)
        holder.communicate()

    assert "HEADGATE_HOME" in str(told.value.hint)

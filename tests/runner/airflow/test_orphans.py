"""Processes left by a killed supervisor are found and ended; unrelated processes are not."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from headgate.airflow.orphans import (
    alone,
    birth,
    end_orphans,
    holder,
    lock_file,
    orphans,
    state_file,
)
from tests.limits import PATIENCE, wait_until

SLEEP = "import time; time.sleep(3600)"
FAMILY = f"import subprocess, sys; subprocess.run([sys.executable, '-c', '{SLEEP}'])"
STUBBORN = (
    f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); {SLEEP}"
)

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start() -> Iterator[Start]:
    started: list[subprocess.Popen[str]] = []

    def start(code: str, cwd: Path) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", code],
            cwd=cwd,
            stdout=subprocess.PIPE,
            start_new_session=True,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def children(pid: int) -> list[int]:
    """Return the children of a process that lives."""
    return [int(x) for x in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def record(folder: Path, groups: dict[int, str | None]) -> None:
    folder.mkdir(exist_ok=True)
    state_file(folder).write_text(json.dumps({"groups": groups}))


def test_a_recorded_process_and_its_children_are_ended(tmp_path: Path, start: Start):
    leader = start(FAMILY, tmp_path)
    wait_until(lambda: children(leader.pid), "a child")
    (child,) = children(leader.pid)
    record(tmp_path, {leader.pid: birth(leader.pid)})

    assert end_orphans(tmp_path) == 2
    assert birth(leader.pid) is None and birth(child) is None
    assert not state_file(tmp_path).exists()
    assert end_orphans(tmp_path) == 0


def test_children_of_a_process_that_is_gone_are_ended_if_they_work_in_our_folder(
    tmp_path: Path, start: Start
):
    ours, elsewhere = tmp_path / "ours", tmp_path / "elsewhere"
    for folder in (ours, elsewhere):
        folder.mkdir()
    leaders = [start(FAMILY, x) for x in (ours, elsewhere)]
    wait_until(lambda: all(children(x.pid) for x in leaders), "their children")
    (child,), (stranger,) = (children(x.pid) for x in leaders)
    groups = {x.pid: birth(x.pid) for x in leaders}
    for leader in leaders:
        leader.kill()
        leader.wait()
    record(ours, groups)

    try:
        assert end_orphans(ours) == 1
        assert birth(child) is None and birth(stranger) is not None
    finally:
        os.kill(stranger, signal.SIGKILL)


def test_a_stranger_who_has_a_recorded_number_is_left_alone(tmp_path: Path, start: Start):
    stranger = start(SLEEP, tmp_path)
    record(tmp_path, {stranger.pid: "1 of another boot"})

    assert end_orphans(tmp_path) == 0
    assert stranger.poll() is None
    assert orphans(tmp_path, {stranger.pid: str(birth(stranger.pid))}) == {stranger.pid}


def test_an_orphan_that_does_not_end_when_asked_is_killed(
    tmp_path: Path, start: Start, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("headgate.airflow.orphans.STOP_SECONDS", 0.3)
    stubborn = start(STUBBORN, tmp_path)
    assert stubborn.stdout and stubborn.stdout.readline()
    record(tmp_path, {stubborn.pid: birth(stubborn.pid)})

    assert end_orphans(tmp_path) == 1
    assert stubborn.wait(PATIENCE) == -signal.SIGKILL


def test_the_lock_says_who_holds_it_and_no_stranger_is_taken_for_him(tmp_path: Path):
    with alone(tmp_path) as is_ours:
        assert is_ours and holder(tmp_path) == os.getpid()
        with alone(tmp_path) as another:
            assert not another

    lock_file(tmp_path).write_text(json.dumps({"pid": os.getpid(), "birth": "1 of another boot"}))
    assert holder(tmp_path) is None

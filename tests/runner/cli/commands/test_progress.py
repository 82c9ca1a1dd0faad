"""Progress of a run: bars on a terminal, otherwise lines that name the run."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from rich.console import Console

from headgate.cli.commands import console, progress
from headgate.cli.json_lines import JsonLines

STEP: Any = {
    "step": "all",
    "planned": 3,
    "succeeded": 1,
    "failed": 1,
    "deferred": 0,
    "skipped": 0,
}
WAITS = "2 jobs of look_shop: they moved, next try 13:45:00"


def test_bars_show_below_them_what_waits(monkeypatch: pytest.MonkeyPatch):
    screen = io.StringIO()
    terminal = Console(file=screen, force_terminal=True, width=120)
    monkeypatch.setattr(console, "err", lambda: terminal)

    with progress._Bars() as bars:
        bars.update([STEP], [WAITS])
        bars._live.refresh()

    assert "2/3" in screen.getvalue()
    assert WAITS in screen.getvalue()


def test_a_line_tells_of_each_step_with_jobs_and_of_what_waits(caplog: pytest.LogCaptureFixture):
    caplog.set_level("INFO", progress.logger.name)
    lines = progress._Lines({"pipeline": "prices", "run_id": "night", "limit": 1})

    lines.update([STEP, {**STEP, "step": "none", "planned": 0}], [WAITS])
    lines.update([], [])

    assert caplog.messages == [f"all 2/3 (1 failed); {WAITS}", "nothing planned yet"]


def test_as_json_a_line_names_its_run(caplog: pytest.LogCaptureFixture):
    caplog.set_level("INFO", progress.logger.name)
    progress._Lines({"pipeline": "prices", "run_id": "night", "limit": 1}).update([STEP], [])

    line = json.loads(JsonLines().format(caplog.records[0]))

    assert line.pop("time")
    assert line == {
        "level": "info",
        "message": "all 2/3 (1 failed)",
        "pipeline": "prices",
        "run_id": "night",
    }

"""HEADGATE_LOG=json: each log line is an object, without secrets."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import datetime

import pytest

from headgate.cli.json_lines import is_json_wanted
from headgate.errors import InvalidValue

LOGGING = """
import logging
from types import SimpleNamespace
from headgate.cli.command_line import configure_logging
from headgate.worker.chunks import Chunk
configure_logging(is_verbose=False, is_worker=True)
logger = logging.getLogger("headgate.worker.completer")
chunk = SimpleNamespace(pipeline="prices", run_id="night correct-horse-battery", chunk_id=7, operation="eod")
logger.info("chunk %s has ended\\nwith correct-horse-battery", 7, extra=Chunk.log_fields.fget(chunk))
try:
    raise ValueError("correct-horse-battery")
except ValueError:
    logger.exception("it broke")
"""


def test_a_line_names_its_chunk_and_holds_no_secret():
    done = subprocess.run(
        [sys.executable, "-c", LOGGING],
        env={**os.environ, "HEADGATE_LOG": "json", "PGPASSWORD": "correct-horse-battery"},
        capture_output=True,
        text=True,
        check=True,
    )
    ended, broken = (json.loads(x) for x in done.stderr.splitlines())

    assert "correct-horse-battery" not in done.stderr
    assert datetime.fromisoformat(ended.pop("time")).tzinfo is not None
    assert ended.pop("message").startswith("chunk 7 has ended\nwith ")
    assert ended.pop("run_id").startswith("night ")
    assert ended == {"level": "info", "pipeline": "prices", "chunk": 7, "operation": "eod"}
    assert broken.keys() == {"time", "level", "message"}
    assert broken["message"].startswith("it broke\nTraceback")


def test_a_value_other_than_json_is_refused_with_what_to_do(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HEADGATE_LOG", "xml")
    with pytest.raises(InvalidValue, match="HEADGATE_LOG is 'xml'") as caught:
        is_json_wanted()

    assert caught.value.hint == "set it to json, or do not set it"

"""A process's memory is its own, not that of the process that started it."""

from __future__ import annotations

import resource
import subprocess
import sys

import pytest

from headgate import memory

SHOWN = """
import resource
from headgate.memory import peak_bytes, resident_bytes
print(resident_bytes(), peak_bytes(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
"""


def test_the_peak_is_not_that_of_the_process_that_started_this_one():
    held = bytearray(200_000_000)
    held[::4096] = bytes(len(held[::4096])).replace(b"\0", b"\1")

    shown = subprocess.run([sys.executable, "-c", SHOWN], capture_output=True, check=True).stdout

    resident, peak, by_getrusage = map(int, shown.split())
    assert 1_000_000 < resident <= peak < 100_000_000 < len(held) < by_getrusage


def test_where_the_system_does_not_tell_only_a_peak_is_known(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(memory, "STATUS", "/nowhere")

    assert memory.resident_bytes() is None
    assert memory.peak_bytes() == resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

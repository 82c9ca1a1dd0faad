"""Measures a runner's calls and its use of the machine, as headgate.v_runners shows them."""

from __future__ import annotations

import shutil
import time
from typing import Any

from headgate.memory import peak_bytes, resident_bytes
from headgate.worker.wire import Traffic


class Figures:
    """Measures this process; its share of a core is the average since the previous figures."""

    def __init__(self, traffic: Traffic) -> None:
        self._traffic = traffic
        self._at, self._busy = time.monotonic(), time.process_time()

    def taken(self) -> dict[str, Any]:
        """Return the current figures."""
        at, busy = time.monotonic(), time.process_time()
        passed, worked = at - self._at, busy - self._busy
        self._at, self._busy = at, busy
        memory = resident_bytes()
        disk = shutil.disk_usage(".")
        return {
            "calls": self._traffic.opened + self._traffic.reused,
            "connections_opened": self._traffic.opened,
            "connections_reused": self._traffic.reused,
            "memory": memory,
            "peak_memory": max(peak_bytes(), memory or 0),  # the system updates it with a delay
            "cpu_percent": round(100 * worked / passed, 1) if passed > 0 else None,
            "disk_percent": round(100 * disk.used / max(1, disk.used + disk.free), 1),
        }

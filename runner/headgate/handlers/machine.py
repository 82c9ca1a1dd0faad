"""Measures the load of the machine that handlers run on, as an operation's output."""

from __future__ import annotations

import os
from typing import Final

from headgate.errors import WrongPlan
from headgate.handlers.contract import Chunk, Result

OBSERVED_SECONDS: Final = 0.5
"""Seconds over which processor use is measured."""


def measure(chunk: Chunk) -> Result:
    """Return for each asset the use of processors, memory and disk in percent, and the load.

    The disk is that of the worker's folder. Raises WrongPlan if psutil is not installed.
    """
    try:
        import psutil
    except ModuleNotFoundError:
        raise WrongPlan(
            "the handler 'machine' needs the package psutil, which is not installed: "
            'pip install "headgate[handlers]", and restart the worker'
        ) from None
    memory = psutil.virtual_memory()
    figures = {
        "cpu_percent": psutil.cpu_percent(OBSERVED_SECONDS),
        "memory_percent": memory.percent,
        "memory_total_bytes": memory.total,
        "disk_percent": psutil.disk_usage(os.getcwd()).percent,
        "load_1_minute": round(psutil.getloadavg()[0], 2),
        "processors": psutil.cpu_count(),
    }
    return Result(output={int(asset_id): figures for asset_id in chunk.asset_ids})

"""A worker without work."""

from __future__ import annotations

from pathlib import Path

import psutil

MEGABYTE = 1024 * 1024


def test_an_idle_worker_is_small_and_has_loaded_no_numbers_library(system):
    worker = system.worker()
    system.wait(lambda: "works" in system.said(worker), "worker")
    asked = system.plan.scalar(
        "select count(*) from pg_stat_activity "
        "where datname = current_database() and application_name like 'headgate worker%%'"
    )
    process = psutil.Process(worker.pid)
    mapped = Path(f"/proc/{worker.pid}/maps").read_text()

    assert asked > 0
    assert process.memory_info().rss < 60 * MEGABYTE
    assert "numpy" not in mapped
    assert "pandas" not in mapped

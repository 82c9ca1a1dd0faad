"""A Dask cluster of two workers on this machine, for tests and benchmarks."""

from __future__ import annotations

from typing import Any


def two_workers() -> Any:
    """Return the cluster, which an `async with` starts."""
    from distributed import LocalCluster

    return LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        host="127.0.0.1",
        dashboard_address=None,
        asynchronous=True,
        silence_logs=50,
    )

"""Each benchmark runs, at sizes too small to measure anything, so that it cannot rot."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from headgate.settings import Settings
from tests.benchmarks import (
    bigtables,
    cache,
    changes,
    crawl,
    declared,
    delta,
    feeding,
    files,
    http,
    indicators,
    ingest,
    lake,
    memory,
    metrics,
    planner,
    pools,
    queue,
    recommender,
    sources,
    steps,
    system,
    trace,
    viral,
    web,
)
from tests.benchmarks.__main__ import BENCHMARKS, ON_REQUEST
from tests.benchmarks.measure import Figure, as_json, table
from tests.benchmarks.rivals import compare, graphile
from tests.benchmarks.scale import cost, pipelines, rows, runners

Clone = Callable[[Settings | None], Settings]
Run = Callable[..., Iterator[Figure]]

SMALL: dict[Run, dict[str, Any]] = {
    queue.run: {"jobs": 400, "singles": 20},
    http.run: {"jobs": 40, "plain_calls": 20, "concurrencies": (10,)},
    ingest.run: {"chunks": 2, "listings": 3, "bars": 10},
    declared.run: {"chunks": 2, "assets": 3, "comments": 2},
    delta.run: {"sizes": (100, 1_000), "first": 10},
    memory.run: {"jobs": 400, "calls": 40, "idle_seconds": 0.1},
    indicators.run: {"sizes": ((250, 20),)},
    feeding.run: {"lengths": (30,), "assets": 5},
    pools.run: {"assets": 4, "bars": 30, "dask": False},
    planner.run: {"sizes": (100, 1_000)},
    sources.run: {"rows": 4_000},
    steps.run: {"steps": 2},
    files.run: {"rows": 4_000},
    changes.run: {"rows": 400, "singles": 20},
    trace.run: {},
    cache.run: {"sizes": (400, 600), "jobs": 400},
    metrics.run: {"rows": 400},
    web.run: {"rows": 400, "jobs": 400},
    bigtables.run: {"assets": 20, "years": 2},
    lake.run: {"sizes": (200, 400), "per_file": 100},
    crawl.run: {"sizes": (20, 60)},
    recommender.run: {"splits": 1, "users": 400, "items": 80, "pairs": 8_000},
    viral.run: {"arms": 1_000, "rounds": 300, "turns": 1, "together": (1,), "month": 2},
    runners.run: {"counts": (1,), "more": (), "seconds": 0.2},
    rows.run: {"assets": 4_000, "rows": 8_000, "due": 20},
    pipelines.run: {"sizes": (1, 2)},
    cost.run: {"jobs": 400, "singles": 20},
    compare.run: {"posts": 20},
    graphile.run: {"jobs": 400},
}
RUN_ONCE: tuple[Run, ...] = (
    planner.run,
    trace.run,
    bigtables.run,
    lake.run,
    crawl.run,
    pipelines.run,
    cost.run,
)
"""These take no medians: a run of them takes minutes, or counts."""


WITH_PLANS = (
    *("big", "feeding", "flywheels", "at_once", "month", "viral", "grown", "indicators", "ingest"),
    *("metrics", "planner", "pools", "shipped", "trace", "web"),
)
"""How names of databases begin that need the shipped plans; the others' own plans are written in a third of the time."""


@pytest.fixture
def cloned_databases(
    monkeypatch: pytest.MonkeyPatch,
    clone_for_test: Clone,
    core_template: Settings,
    small_template: Settings,
) -> None:
    """Give the benchmarks clones, which are made faster than migrated, with few listings; and let them repeat less."""

    @contextmanager
    def own_database(server: Settings, name: str) -> Iterator[Settings]:
        if name.startswith(WITH_PLANS):
            yield clone_for_test(small_template)
        else:
            yield replace(clone_for_test(core_template), db=core_template.db)

    monkeypatch.setattr(system, "own_database", own_database)
    monkeypatch.setattr(memory, "REPORTED", 0.0)
    monkeypatch.setattr(web, "CONNECTIONS", 1)
    monkeypatch.setattr(pipelines, "STARTS", 2)
    monkeypatch.setattr(pipelines, "RUNS", 20)
    monkeypatch.setattr(pipelines, "TIMES", 1)


def test_every_benchmark_is_run_here():
    assert list(SMALL) == [*BENCHMARKS.values(), *ON_REQUEST.values()]


@pytest.mark.usefixtures("cloned_databases")
@pytest.mark.parametrize("run", SMALL, ids=[*BENCHMARKS, *ON_REQUEST])
def test_the_figures_of_each_benchmark_come(server: Settings, run: Run):
    if run is compare.run and not compare.DLT_PYTHON.exists():
        pytest.skip(
            "dlt is not installed here: `make bench/rivals` installs it and runs this in full"
        )
    if run is graphile.run and not graphile.is_installed():
        pytest.skip("graphile-worker is not installed here: `make bench/rivals` installs it")
    figures = list(run(server, **SMALL[run], **({} if run in RUN_ONCE else {"runs": 1})))

    assert figures
    assert all(x.value > 0 for x in figures if "waits" not in x.benchmark)
    assert all(x.value >= 0 for x in figures)
    assert len(table(figures)) == len(as_json(figures)) + 2


@pytest.mark.usefixtures("cloned_databases")
def test_a_job_of_one_call_goes_through_few_functions(server: Settings):
    assert [x for x in trace.run(server) if x.is_ok is False] == []

"""Flywheels of the plan viral with one runner: one after the other, and up to twenty at once."""

from __future__ import annotations

import re
import statistics
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from headgate.settings import Settings
from tests.acceptance.viral.conftest import FLYWHEEL, World, opened
from tests.benchmarks import system
from tests.benchmarks.measure import Figure
from tests.benchmarks.memory import megabytes
from tests.limits import wait_until
from tests.plan import Plan
from tests.servers import DB

PLAN: Final = DB / "plans" / "viral" / "plan.sql"
SOURCE_STEPS: Final = {
    "health": (("ask_required", "ask_others", "health_check"), 0.6),
    "scraping": (("trigger_scraping", "scrape_viral_content", "select_viral_posts"), 1.4),
    "patterns": (("extract_viral_patterns", "score_patterns"), 1.2),
    "Thompson sampling": (("read_variants", "optimize_parameters"), 0.78),
    "metrics": (("collect_metrics", "measure_kpis"), 1.75),
}
"""Seconds of the operators of the system that this one succeeds, by its own documents."""
SOURCE_AT_ONCE: Final = {
    1: (1.2, 65, 100), 2: (1.4, 98, 100), 5: (1.8, 156, 99), 10: (2.1, 245, 97), 20: (2.8, 398, 94),
}  # fmt: skip
"""Its seconds, megabytes and percent of success with so many workflows at once."""


def in_a_row(settings: Settings, count: int) -> Iterator[Figure]:
    """Turn flywheels one after the other with one runner: a pipeline has one run at a time."""
    with (
        opened(settings, settings.home / "flywheels") as world,
        system.worker(settings, processes=1) as runner,
    ):
        began = time.perf_counter()
        has_succeeded = _turn(world, [FLYWHEEL])
        first_calls, first_connections = _calls(world)
        for _ in range(count - 1):
            has_succeeded += _turn(world, [FLYWHEEL])
        seconds = (time.perf_counter() - began) / count
        calls, connections = _calls(world)
        peak = megabytes(runner.pid, "VmHWM")
        handlers = world.plan.scalar(
            "select max(peak_memory) / 1048576.0 from headgate.v_asset_processing_history"
        )
        steps = list(_steps(world.plan))
    yield Figure(
        f"viral: share of {count} flywheels in a row that succeed",
        statistics.mean(has_succeeded),
        at_least=1,
        detail=f"{seconds:.1f} s each",
    )
    yield Figure(
        "viral: share of their calls on an open connection",
        1 - connections / calls,
        at_least=0.912,
        detail=f"{calls} calls, {connections} connections to five services",
    )
    yield Figure(
        "viral: the same without the first flywheel, which opens them",
        1 - (connections - first_connections) / max(1, calls - first_calls),
        at_least=0.99 if count > 1 else None,
        detail=f"{calls - first_calls} calls, {connections - first_connections} connections",
    )
    yield Figure("viral: peak memory of the runner", peak, "MB", at_most=65)
    yield Figure("viral: peak memory of its handlers' process", float(handlers), "MB")
    yield from steps


def at_once(settings: Settings, counts: Sequence[int]) -> Iterator[Figure]:
    """Turn flywheels at once, each a pipeline of its own, over the same services and tables."""
    with (
        opened(settings, settings.home / "at_once") as world,
        system.worker(settings, processes=1) as runner,
    ):
        pipelines = [_declare(world.plan, nth) for nth in range(max(counts))]
        peaks = []
        for count in counts:
            began = time.perf_counter()
            has_succeeded = _turn(world, pipelines[:count])
            seconds = time.perf_counter() - began
            peaks.append(megabytes(runner.pid, "VmHWM"))
            took, memory, percent = SOURCE_AT_ONCE[count]
            yield Figure(
                f"viral: share of {count} flywheels at once that succeed",
                statistics.mean(has_succeeded),
                at_least=1,
                detail=f"{seconds:.1f} s, runner {peaks[-1]:.0f} MB; the source says {percent} %,"
                f" {took} s, {memory} MB",
            )
    yield Figure(
        f"viral: runner's peak memory with {counts[-1]} flywheels at once to that with {counts[0]}",
        peaks[-1] / peaks[0],
        at_most=1.1,
        detail=f"{peaks[0]:.1f} to {peaks[-1]:.1f} MB",
    )


def _turn(world: World, pipelines: Sequence[str]) -> list[bool]:
    """Run pipelines at once; return for each whether all of its steps and jobs succeeded."""
    runs = {x: str(world.plan.value("run_pipeline", p_pipeline=x)) for x in pipelines}
    for pipeline, run in runs.items():
        wait_until(partial(has_ended, world.plan, pipeline, run), f"the end of {pipeline}")
    return [_has_succeeded(world.plan, *run) for run in runs.items()]


def _has_succeeded(plan: Plan, pipeline: str, run: str) -> bool:
    return bool(
        plan.scalar(
            "select bool_and(s.status = 'succeeded' and s.failed + s.deferred = 0)"
            " from headgate.v_execution_steps as s"
            " where s.pipeline = %(pipeline)s and s.run_id = %(run)s",
            pipeline=pipeline,
            run=run,
        )
    )


def has_ended(plan: Plan, pipeline: str, run: str) -> bool:
    """Return whether a run has ended."""
    row = plan.row("execution_status", p_pipeline=pipeline, p_run_id=run)
    return row["status"] not in ("running", "paused")


def _steps(plan: Plan) -> Iterator[Figure]:
    for name, (steps, source) in SOURCE_STEPS.items():
        seconds = plan.scalar(
            "select percentile_cont(0.5) within group (order by r.seconds) from ("
            " select extract(epoch from max(s.finished_at) - min(s.started_at)) as seconds"
            " from headgate.v_execution_steps as s where s.step = any(%(steps)s)"
            " group by s.run_id) as r",
            steps=list(steps),
        )
        yield Figure(
            f"viral: {name}",
            float(seconds),
            "s",
            at_most=source,
            detail=f"median, services answer at once; the source says {source} s",
        )


def _calls(world: World) -> tuple[int, int]:
    services = world.services.values()
    return sum(len(x.calls) for x in services), sum(x.connections for x in services)


def _declare(plan: Plan, nth: int) -> str:
    """Declare the flywheel once more, with operations of its own; return its pipeline."""
    with plan.connection.transaction():
        plan.sql(f"select headgate.begin_plan('flywheel_{nth}')")
        plan.connection.execute(_renamed(PLAN, nth))
        plan.sql("select headgate.end_plan()")
    return f"{FLYWHEEL}_{nth}"


def _renamed(file: Path, nth: int) -> str:
    """Return the statements of the plan's flywheel, with other names of operations and pipeline."""
    kept = re.findall(
        rf"^select headgate\.put_(?:operation|(?:pipeline|parameter|step)\('{FLYWHEEL}').*?;$",
        file.read_text().partition("put_check(")[0],  # maintenance follows
        re.MULTILINE | re.DOTALL,
    )
    statements = "\n".join(kept)
    names = [FLYWHEEL, *re.findall(r"put_operation\('(\w+)'", statements)]
    return re.sub(rf"(?<!provider => ')\b({'|'.join(names)})\b", rf"\1_{nth}", statements)

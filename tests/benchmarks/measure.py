"""Common parts of benchmarks: sides that take turns, figures with their goals, and the table."""

from __future__ import annotations

import os
import platform
import statistics
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Any, Final

import psutil
from psycopg import Connection

PACKAGES: Final = ("psycopg", "httpx2", "httpx-aiohttp", "aiohttp", "pgmq")


@dataclass(frozen=True, slots=True)
class Figure:
    """A line of the table: a measured value, and its minimum or maximum."""

    benchmark: str
    value: float
    unit: str = "x"
    """Unit of the value; x: a ratio to the baseline."""
    at_least: float | None = None
    at_most: float | None = None
    wished: float | None = None
    """What was wished for and cannot be had; the benchmark says why."""
    detail: str = ""
    line: str = ""
    """Its line of a table of docs/scaling.md, as Markdown."""

    @property
    def is_ok(self) -> bool | None:
        """Return whether the figure meets its goal; None if it has none."""
        if self.at_least is not None:
            return self.value >= self.at_least
        if self.at_most is not None:
            return self.value < self.at_most
        return None

    @property
    def goal(self) -> str:
        """Return the goal as text, and what was wished for."""
        if self.at_least is not None:
            wish = "" if self.wished is None else f" (wished: {_number(self.wished)})"
            return f">= {_number(self.at_least)}{_unit(self.unit)}{wish}"
        if self.at_most is not None:
            return f"< {_number(self.at_most)}{_unit(self.unit)}"
        return ""


def take_turns(runs: int, *sides: Callable[[], None]) -> None:
    """Run the sides A B A B ..., so that a slow phase of the machine affects all alike."""
    for _ in range(runs):
        for side in sides:
            side()


def ratio(ours: Sequence[float], baseline: Sequence[float]) -> float:
    """Return the median of the turns' ratios."""
    return statistics.median(x / y for x, y in zip(ours, baseline, strict=True))


def per_second(label: str, figures: Sequence[float]) -> str:
    """Return the median of rates and their spread as text."""
    middle = statistics.median(figures)
    spread = (max(figures) - min(figures)) / middle
    return f"{label} {middle:,.0f}/s (spread {spread:.0%})"


def cpu_seconds(pids: Iterable[int]) -> float:
    """Return the processor time of these processes, which neighbours on the machine hardly change."""
    times = (psutil.Process(pid).cpu_times() for pid in pids)
    return sum(x.user + x.system for x in times)


def machine(connection: Connection[Any]) -> list[str]:
    """Return a description of the machine, without which figures mean nothing."""
    row = connection.execute("select version() as version").fetchone()
    assert row is not None
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return [
        f"{platform.machine()}, {len(os.sched_getaffinity(0))} cores, {memory:.0f} GiB,"
        f" load {os.getloadavg()[0]:.1f}, {platform.system()} {platform.release()}",
        " ".join(row["version"].split()[:2])
        + f", Python {sys.version.split()[0]}, "
        + ", ".join(f"{name} {version(name)}" for name in PACKAGES),
    ]


def table(figures: Iterable[Figure]) -> list[str]:
    """Return the figures as lines of a table."""
    cells = [("benchmark", "ratio", "goal", "ok")]
    for x in figures:
        ok = {True: "yes", False: "NO", None: ""}[x.is_ok]
        cells.append((x.benchmark, f"{_number(x.value)}{_unit(x.unit)}", x.goal, ok))
    widths = [max(len(row[n]) for row in cells) for n in range(4)]
    lines = [
        f"{a:<{widths[0]}} | {b:>{widths[1]}} | {c:>{widths[2]}} | {d:<{widths[3]}}".rstrip()
        for a, b, c, d in cells
    ]
    return [lines[0], "-" * len(lines[0]), *lines[1:]]


def scaling_line(*cells: str | float) -> str:
    """Return a line of a table of docs/scaling.md; numbers are milliseconds."""
    shown = (x if isinstance(x, str) else _milliseconds(x) for x in cells)
    return f"| {' | '.join(shown)} |"


def as_json(figures: Iterable[Figure]) -> list[dict[str, Any]]:
    """Return the figures as JSON objects."""
    return [{**asdict(x), "is_ok": x.is_ok} for x in figures]


def _milliseconds(value: float) -> str:
    return f"{value:,.0f}" if value >= 9.95 else f"{value:.1f}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.2f}"


def _unit(unit: str) -> str:
    return "" if unit == "x" else f" {unit}"

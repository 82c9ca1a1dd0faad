"""HTML report of a run, from rows of the views (the extra `charts`)."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from matplotlib import rc_context
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from headgate import files
from headgate.reports.rendering import environment
from headgate.reports.timeline import bars_of

Row = Mapping[str, Any]
COLOURS: Final = {
    "success": "#0f9d76",
    "skipped": "#9fb3c8",
    "deferred": "#e8912d",
    "failed": "#d6455d",
    "cancelled": "#7b8794",
}
INK, GREY, GRID, BLUE = "#1f2933", "#7b8794", "#e4e7eb", "#2f6fde"
BUCKETS: Final = 60


def bucket_of(run: Row) -> timedelta:
    """Return the time span of one column of the throughput chart, which has about 60."""
    seconds = run["duration"].total_seconds()
    return timedelta(seconds=max(0.1, round(seconds / BUCKETS, 1)))


def write_page(path: Path, page: Mapping[str, Any]) -> None:
    """Write the HTML page; `page` holds the rows that the template uses."""
    text = (
        environment()
        .get_template("report.html")
        .render(
            **page,
            colours=COLOURS,
            bars=bars_of(page["run"], page["steps"]),
            picture=_throughput(page["buckets"], page["width"]) if page["buckets"] else "",
        )
    )
    files.write(path, text, is_shared=True)


def _throughput(buckets: Sequence[Row], width: timedelta) -> str:
    """Return an SVG chart of jobs per second by outcome and of the units spent."""
    times = sorted({row["at"] for row in buckets})
    seconds, days = width.total_seconds(), width.total_seconds() / 86_400
    with rc_context({"svg.fonttype": "none", "font.family": "sans-serif", "svg.hashsalt": "run"}):
        figure = Figure(figsize=(10, 2.9))
        axes = figure.subplots()
        below = dict.fromkeys(times, 0.0)
        for status, colour in COLOURS.items():
            jobs = {row["at"]: row["jobs"] / seconds for row in buckets if row["status"] == status}
            if jobs:
                heights = [jobs.get(at, 0.0) for at in times]
                bottoms = [below[at] for at in times]
                axes.bar(_numbers(times), heights, days * 0.92, bottoms, color=colour, align="edge")
                below = {at: below[at] + jobs.get(at, 0.0) for at in times}
        axes.set_ylabel("jobs a second", color=GREY)
        _units(axes.twinx(), buckets, times, width)
        locator = AutoDateLocator(minticks=4, maxticks=9)  # type: ignore[no-untyped-call]
        axes.xaxis.set_major_locator(locator)
        formatter = ConciseDateFormatter(locator, tz=times[0].tzinfo)  # type: ignore[no-untyped-call]
        axes.xaxis.set_major_formatter(formatter)
        axes.grid(axis="y", color=GRID, lw=0.8)
        axes.set_axisbelow(True)
        _quiet(axes)
        figure.subplots_adjust(left=0.06, right=0.94, top=0.96, bottom=0.14)
        file = io.StringIO()
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None})
    return file.getvalue().partition("<svg")[1] + file.getvalue().partition("<svg")[2]


def _units(axes: Any, buckets: Sequence[Row], times: list[datetime], width: timedelta) -> None:
    """Draw the cumulated units spent; nothing if there were none."""
    total, spent = 0, []
    for at in times:
        total += sum(row["units"] for row in buckets if row["at"] == at)
        spent.append(total)
    _quiet(axes)
    if total == 0:
        axes.set_yticks([])
        return
    axes.step(_numbers([x + width for x in times]), spent, color=BLUE, lw=1.6, where="pre")
    axes.set_ylim(0, total * 1.06)
    axes.set_ylabel("units spent", color=BLUE)
    axes.tick_params(axis="y", colors=BLUE)


def _numbers(times: Sequence[datetime]) -> Any:
    return date2num(list(times))  # type: ignore[no-untyped-call]


def _quiet(axes: Any) -> None:
    axes.tick_params(length=0, labelsize=9, colors=GREY)
    axes.yaxis.set_major_locator(MaxNLocator(5))
    for side in axes.spines.values():
        side.set_visible(False)

"""Panels of our dashboards: a figure, a graph, bars, rows; from Prometheus or PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import dedent
from typing import Final, TypeVar

from grafana_foundation_sdk.builders import bargauge, common, prometheus, stat, table, timeseries
from grafana_foundation_sdk.builders.dashboard import Dashboard, ThresholdsConfig
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models.common import GraphTresholdsStyleMode, StackingMode
from grafana_foundation_sdk.models.dashboard import DataSourceRef, Threshold, ThresholdsMode

PROMETHEUS: Final = DataSourceRef("prometheus", "headgate-prometheus")
POSTGRES: Final = DataSourceRef("postgres", "headgate-postgres")
GREEN, YELLOW, RED, BLUE = "green", "yellow", "red", "blue"
FAULTS: Final = ((None, GREEN), (1, RED))
"""Thresholds of a count that is 0 when all is well."""
REUSED: Final = """
    sum(headgate_runner_connections{kind="reused"}) / sum(headgate_runner_connections)
"""
"""The share of requests that opened no connection."""

Steps = Sequence[tuple[float | None, str]]
Panel = TypeVar("Panel", stat.Panel, timeseries.Panel, bargauge.Panel, table.Panel)


@dataclass
class Sql(Builder[Dataquery], Dataquery):
    """A query of PostgreSQL, which the SDK has no class for."""

    text: str
    is_series: bool = False
    ref_id: str = "A"

    def build(self) -> Dataquery:
        """Return itself."""
        return self

    def to_json(self) -> dict[str, object]:
        """Return it as Grafana's data source reads it."""
        return {
            "datasource": POSTGRES.to_json(),
            "editorMode": "code",
            "format": "time_series" if self.is_series else "table",
            "rawQuery": True,
            "rawSql": _plain(self.text),
            "refId": self.ref_id,
        }


Query = Sql | prometheus.Dataquery


def _plain(text: str) -> str:
    return dedent(text).strip()


def prom(expression: str, legend: str = "__auto") -> prometheus.Dataquery:
    """Return a query of Prometheus over the time that the dashboard shows."""
    query = prometheus.Dataquery().expr(_plain(expression)).legend_format(legend).range()
    return query.datasource(PROMETHEUS)


def last(expression: str, legend: str = "__auto") -> prometheus.Dataquery:
    """Return a query of Prometheus for the value of now."""
    query = prometheus.Dataquery().expr(_plain(expression)).legend_format(legend).instant()
    return query.datasource(PROMETHEUS)


def new_dashboard(uid: str, title: str, shown: str, *tags: str) -> Dashboard:
    """Return an empty dashboard that shows this much time."""
    made = Dashboard(title).uid(uid).tags(["headgate", *tags]).readonly()
    return made.time(f"now-{shown}", "now").refresh("30s").timezone("utc")


def figure(
    title: str, query: Query, unit: str = "short", steps: Steps = ((None, BLUE),), width: int = 4
) -> stat.Panel:
    """Return one large number."""
    calculated = common.ReduceDataOptions().calcs(["lastNotNull"])
    panel = stat.Panel().reduce_options(calculated)
    return _filled(panel, title, [query], unit, steps, width, height=4)


def graph(
    title: str,
    *queries: Query,
    unit: str = "short",
    steps: Steps = (),
    width: int = 12,
    is_stacked: bool = False,
) -> timeseries.Panel:
    """Return the course of some series, with a line at each threshold."""
    panel = timeseries.Panel().fill_opacity(10)
    if is_stacked:
        panel.stacking(common.StackingConfig().mode(StackingMode.NORMAL)).fill_opacity(40)
    if steps:
        dashed = common.GraphThresholdsStyleConfig().mode(GraphTresholdsStyleMode.DASHED)
        panel.thresholds_style(dashed)
    return _filled(panel, title, queries, unit, steps, width, height=8)


def bars(
    title: str,
    query: Query,
    unit: str = "short",
    steps: Steps = ((None, BLUE),),
    width: int = 12,
) -> bargauge.Panel:
    """Return a bar for each series."""
    calculated = common.ReduceDataOptions().calcs(["lastNotNull"])
    panel = bargauge.Panel().reduce_options(calculated)
    return _filled(panel, title, [query], unit, steps, width, height=8)


def rows(title: str, text: str, width: int = 12) -> table.Panel:
    """Return the rows of a query of PostgreSQL."""
    return _filled(table.Panel(), title, [Sql(text)], "none", (), width, height=8)


def _filled(
    panel: Panel,
    title: str,
    queries: Sequence[Query],
    unit: str,
    steps: Steps,
    width: int,
    height: int,
) -> Panel:
    """Return a panel with what all panels have; each query has a letter of its own."""
    panel.title(title).unit(unit).span(width).height(height)
    panel.datasource(POSTGRES if isinstance(queries[0], Sql) else PROMETHEUS)
    if steps:
        listed = [Threshold(value, color) for value, color in steps]
        panel.thresholds(ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(listed))
    for letter, query in zip("ABCDEFGH", queries, strict=False):
        if isinstance(query, Sql):
            query.ref_id = letter
        else:
            query.ref_id(letter)
        panel.with_target(query)
    return panel

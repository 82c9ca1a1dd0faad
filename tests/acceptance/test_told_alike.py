"""A night told from the pages, the metrics, the views and headgate_bi alike: the same figures, whoever tells them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from headgate.database import connect
from headgate.settings import Settings
from headgate.web import serve
from tests.db.toy import Toy
from tests.runner.conftest import core, core_database, run
from tests.runner.small_plan import write_plan

__all__ = ["core", "core_database", "run"]

Row = dict[str, str]


class Tables(HTMLParser):
    """The tables of a page, by their label: each row by its columns' names."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: dict[str, list[Row]] = {}
        self._label = ""
        self._cells: list[str] | None = None
        self._columns: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if given.get("role") == "region":
            self._label = given.get("aria-label") or ""
            self.found[self._label] = []
        elif tag == "thead":
            self._columns = []
        elif tag == "tr":
            self._cells = []
        elif tag in ("td", "th") and self._cells is not None:
            self._cells.append("")

    def handle_endtag(self, tag: str) -> None:
        if tag != "tr" or self._cells is None:
            return
        if self._columns:
            self.found[self._label].append(dict(zip(self._columns, self._cells, strict=False)))
        else:
            self._columns = self._cells
        self._cells = None

    def handle_data(self, data: str) -> None:
        if self._cells:
            self._cells[-1] += data.strip()


@pytest.fixture
def night(core: Settings) -> Iterator[Toy]:
    """Two runs: one with failures, and work that its quota does not reach; one whose provider is down."""
    with connect(core, "test") as connection:
        toy = Toy(connection)
        toy.sql("reset headgate.clock_frozen")  # the clock is the pages', which runs on
        for name, assets in (("shop", 8), ("well", 2)):
            write_plan(
                toy,
                provider=name,
                base_url="http://127.0.0.1:9",
                assets=assets,
                provider_columns={"quota": 5, "quota_buffer": 0, "breaker_failures": 1}
                | {"breaker_cooldown": "1 hour"},
                operation_columns={
                    "units": 1,
                    "due_rule": "every",
                    "due_every": "1 hour",
                    "max_wait": "3 hours",
                },
            )
        toy.begin("all", run="evening", pipeline="small_shop")
        for chunk in toy.claim(chunks=9):
            toy.complete(chunk, "failed", chunk["asset_ids"][:2])
            toy.complete(chunk, "success", chunk["asset_ids"][2:])
        toy.finish("evening", "small_shop")
        toy.begin("all", run="night", pipeline="small_well")
        for chunk in toy.claim(chunks=9):
            toy.complete(chunk, "retry", fault="provider")
        toy.sql(
            "insert into headgate.alerts (severity, subject, message, raised_at)"
            " values ('error', 'the well is dry', 'dig', headgate.clock())"
        )
        yield toy


def counted(rows: list[dict[str, Any]], *keys: str, value: str) -> Counter[tuple[str, ...]]:
    """Return the sums of a column by others, without zeros."""
    sums = Counter[tuple[str, ...]]()
    for row in rows:
        if number := int(str(row[value]).replace(",", "") or 0):
            sums[tuple(str(row[key]) for key in keys)] += number
    return sums


async def test_page_metrics_views_and_what_analysts_read_tell_the_same(
    night: Toy, core: Settings, run: Any
):
    pages: dict[str, dict[str, list[Row]]] = {}
    addresses = {
        *("/", "/operations", "/alerts"),
        *(f"/operations/look_{x}" for x in ("shop", "well")),
        *(f"/explain?pipeline=small_{x}" for x in ("shop", "well")),
    }
    async with (
        serve(core, host="127.0.0.1", port=0, allowed=()) as address,
        aiohttp.ClientSession(address) as client,
    ):
        for path in addresses:
            async with client.get(path) as answer:
                pages[path] = Tables(await answer.text()).found
        async with client.get("/metrics") as answer:
            scraped = told(await answer.text())
    printed = told(run("metrics", settings=core).out)

    check_bi(night)
    for metrics in (scraped, printed):
        check_runs(night, pages["/"], metrics)
        check_waiting(night, pages, metrics)
        check_breakers(night, pages["/operations"], metrics)
        check_freshness(night, pages, metrics)
        check_quota(night, pages, metrics)
        check_alerts(night, pages["/alerts"], metrics)


def check_bi(night: Toy) -> None:
    """Compare what analysts read with the core's views, which the others are compared with."""
    for bi, view, keys, value in (
        ("runs", "v_recent_executions", ("pipeline", "run_id", "status"), "failed"),
        ("runs", "v_recent_executions", ("pipeline", "run_id", "status"), "planned"),
        ("runs", "v_recent_executions", ("pipeline", "run_id", "status"), "units"),
        ("waiting", "v_waiting", ("operation", "reason"), "jobs"),
        ("freshness", "v_data_freshness", ("operation", "group_key"), "fresh"),
        ("freshness", "v_data_freshness", ("operation", "group_key"), "never"),
        ("deferrals", "v_deferrals", ("pipeline", "operation", "meaning"), "assets"),
    ):
        by_analysts = night.sql(f"select * from headgate_bi.{bi}")
        assert counted(by_analysts, *keys, value=value)
        assert counted(by_analysts, *keys, value=value) == (
            counted(night.sql(f"select * from headgate.{view}"), *keys, value=value)
        )

    history = night.sql("select h.*, 1 as jobs from headgate.v_asset_processing_history as h")
    jobs = night.sql("select j.*, 1 as jobs from headgate_bi.jobs as j")
    days = night.sql("select * from headgate_bi.quota_by_day")
    alerts = night.sql("select a.*, 1 as n from headgate_bi.alerts as a where a.is_open")
    opened = night.sql("select a.*, 1 as n from headgate.v_alerts as a where a.resolved_at is null")
    assert counted(jobs, "operation", "status", value="jobs") == (
        counted(history, "operation", "status", value="jobs")
    )
    assert counted(days, "provider", value="units") == (counted(jobs, "provider", value="units"))
    assert counted(alerts, "severity", "subject", value="n") == (
        counted(opened, "severity", "subject", value="n")
    )


def told(text: str) -> dict[str, list[dict[str, Any]]]:
    """Return the samples of each name, labels and value together."""
    found: dict[str, list[dict[str, Any]]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            row = {**sample.labels, "value": int(sample.value)}
            found.setdefault(sample.name, []).append(row)
    return found


def check_runs(night: Toy, page: Any, metrics: Any) -> None:
    runs = night.sql("select * from headgate.v_recent_executions")
    ended = night.sql("select h.*, 1 as jobs from headgate.v_asset_processing_history as h")

    assert counted(ended, "status", value="jobs") == {("success",): 3, ("failed",): 2}
    assert counted(metrics["headgate_jobs_total"], "operation", "status", value="value") == (
        counted(ended, "operation", "status", value="jobs")
    )
    for column in ("planned", "failed", "units"):
        assert counted(page["Runs"], value=column) == counted(runs, value=column)
    assert counted(page["Runs"], "status", value="planned") == (
        counted(runs, "status", value="planned")
    )
    assert (
        counted(metrics["headgate_units_total"], value="value")[()]
        == (counted(ended, value="api_calls_used")[()])
    )
    over = [x for x in runs if x["finished_at"]]
    assert counted(metrics["headgate_runs_total"], "pipeline", "status", value="value") == {
        (x["pipeline"], x["status"]): 1 for x in over
    }


def check_waiting(night: Toy, pages: Any, metrics: Any) -> None:
    rows = night.sql("select * from headgate.v_waiting")
    shown = [
        row | {"operation": path.rpartition("/")[2]}
        for path, page in pages.items()
        for row in page.get("Waiting", ())
        if path.startswith("/operations/")
    ]

    view = counted(rows, "operation", value="jobs")
    assert view == {("look_shop",): 3, ("look_well",): 2}
    assert counted(shown, "operation", value="jobs") == view
    assert counted(metrics["headgate_waiting_jobs"], "operation", value="value") == view


def check_breakers(night: Toy, page: Any, metrics: Any) -> None:
    rows = night.sql("select * from headgate.v_operation_health")
    opened = {x["operation"] for x in rows if x["state"] != "flowing"}
    shown = {x["operation"] for x in page["Operations"] if x["calls"].startswith("blocked")}
    measured = {x.get("operation") for x in metrics["headgate_breaker_open"] if x["value"] == 1} - {
        None
    }

    assert opened == shown == measured == {"look_well"}


def check_freshness(night: Toy, pages: Any, metrics: Any) -> None:
    rows = night.sql("select * from headgate.v_data_freshness")
    kinds = {"fresh": "fresh", "stale": "stale", "never": "never loaded"}
    for row in rows:
        (shown,) = pages[f"/operations/{row['operation']}"]["How fresh its data is"]
        measured = counted(
            [x for x in metrics["headgate_assets"] if x["operation"] == row["operation"]],
            "freshness",
            value="value",
        )
        for kind, column in kinds.items():
            assert int(shown[column]) == row[kind] == measured[(kind,)]
    assert counted(rows, "operation", value="fresh") == {("look_shop",): 3}


def check_quota(night: Toy, pages: Any, metrics: Any) -> None:
    left = [x for x in metrics["headgate_quota_units"] if x["kind"] == "left"]
    shown = [
        row for path, page in pages.items() if path.startswith("/explain") for row in page["Quota"]
    ]
    rows = night.sql("select * from headgate.v_quota")

    assert counted(rows, "provider", value="remaining") == counted(left, "provider", value="value")
    assert counted(shown, "provider", value="left") == counted(rows, "provider", value="remaining")


def check_alerts(night: Toy, page: Any, metrics: Any) -> None:
    rows = night.sql("select a.*, 1 as n from headgate.v_alerts as a where a.resolved_at is null")
    shown = [row | {"n": "1"} for row in page["Open alerts"]]

    view = counted(rows, "severity", value="n")
    assert view[("error",)] > 0
    assert counted(shown, "severity", value="n") == view
    assert counted(metrics["headgate_alerts_open"], "severity", value="value") == view

"""docs/onpoint.md: it shows the shipped plan, its graph and run have the plan's steps, and its queries run."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise
from typing import LiteralString

import pytest

from headgate.database import connect
from headgate.demo import SERVICE_DEMOS, played
from headgate.settings import Settings
from tests.acceptance.onpoint.conftest import DATA
from tests.plan import Plan
from tests.servers import DB

DEMO = SERVICE_DEMOS["onpoint"]
PAGE = (DB.parent / "docs" / "onpoint.md").read_text()


def test_the_plan_is_on_the_page_whole():
    assert f"```sql\n{(DB / 'plans/onpoint/plan.sql').read_text()}```" in PAGE


def test_the_graph_on_the_page_is_that_of_the_plan(plan: Plan):
    rows = plan.sql(
        "select s.step, s.depends_on from headgate.pipeline_steps as s join headgate.pipelines as p"
        " using (pipeline_id) where p.name = %(p)s order by s.position",
        p=DATA,
    )
    graph = re.search(r"flowchart LR\n(.*?)```", PAGE, re.DOTALL)
    assert graph is not None
    edges = set()
    for line in graph[1].splitlines():
        groups = [[y.strip() for y in x.split("&")] for x in line.split("-->")]
        edges |= {(x, y) for a, b in pairwise(groups) for x in a for y in b}
    assert edges == {(x, row["step"]) for row in rows for x in row["depends_on"]}


@pytest.mark.parametrize("pipeline", DEMO.pipelines)
def test_the_runs_on_the_page_have_the_steps_of_the_plan(plan: Plan, pipeline: str):
    rows = plan.sql(
        "select s.step from headgate.pipeline_steps as s join headgate.pipelines as p"
        " using (pipeline_id) where p.name = %(p)s order by s.position",
        p=pipeline,
    )
    run = re.search(rf"^{pipeline} manual.*?\n\n", PAGE, re.DOTALL | re.MULTILINE)
    assert run is not None
    assert [x.split()[0] for x in run[0].splitlines()[2:] if x] == [x["step"] for x in rows]


def test_the_queries_on_the_page_are_the_demonstrations_and_run(plan: Plan):
    for query in DEMO.queries:
        assert f"\n  {query};\n" in PAGE
        plan.sql(query.replace("%", "%%"))


def test_the_demonstration_finds_the_plans_providers_and_stores(small_database: Settings):
    (paces,) = _settings_of(small_database, "requests_per_minute")
    with played(replace(DEMO, pace=123), small_database) as services:
        urls = _settings_of(small_database, "base_url")
        assert urls == {x.url for x in services.values()}
        assert _settings_of(small_database, "requests_per_minute") == {123} != {paces}
    with connect(small_database, "test") as connection:
        rows = connection.execute(
            "select url from headgate.stores where name = any (%s)", (list(DEMO.stores),)
        )
        folder = (small_database.home.resolve() / "demo").as_uri()
        assert {x["url"] for x in rows} == {f"{folder}/{x}" for x in DEMO.stores}


def _settings_of(settings: Settings, column: LiteralString) -> set[object]:
    with connect(settings, "test") as connection:
        query = f"select {column} as value from headgate.providers where name like 'onpoint%'"
        return {x["value"] for x in connection.execute(query)}

"""docs/recommender.md: it shows the shipped plan and its steps, and its queries run."""

from __future__ import annotations

import re

import pytest

from headgate.demo import SERVICE_DEMOS
from tests.plan import Plan
from tests.servers import DB

PAGE = (DB.parent / "docs" / "recommender.md").read_text()
DEMO = SERVICE_DEMOS["recommender"]


def test_the_plan_is_on_the_page_whole():
    assert f"```sql\n{(DB / 'plans/recommender/plan.sql').read_text()}```" in PAGE


@pytest.mark.parametrize("pipeline", DEMO.pipelines)
def test_the_runs_and_the_graph_on_the_page_have_the_steps_of_the_plan(db: Plan, pipeline: str):
    rows = db.sql(
        "select s.step from headgate.pipeline_steps as s join headgate.pipelines as p"
        " using (pipeline_id) where p.name = %(p)s order by s.position",
        p=pipeline,
    )
    steps = [x["step"] for x in rows]
    run = re.search(rf"^{pipeline} manual.*?\n\n", PAGE, re.DOTALL | re.MULTILINE)
    graph = re.search(rf"subgraph {pipeline}\n(.*?)end\n", PAGE, re.DOTALL)
    assert run and graph
    assert [x.split()[0] for x in run[0].splitlines()[2:] if x] == steps
    assert list(dict.fromkeys(re.findall(r"\b[a-z]+_[a-z_]+\b", graph[1]))) == steps


def test_the_queries_on_the_page_are_the_demonstrations_and_run(db: Plan):
    for query in DEMO.queries:
        assert f"\n  {query};\n" in PAGE
        db.sql(query)

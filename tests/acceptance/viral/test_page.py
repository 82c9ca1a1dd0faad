"""docs/viral.md: its plan is the plan, its graphs and runs have its steps, its queries run."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest

from headgate.demo import SERVICE_DEMOS
from tests.plan import Plan
from tests.servers import DB

DEMO = SERVICE_DEMOS["viral"]
PAGE = (DB.parent / "docs" / "viral.md").read_text()
STEPS = """
select s.step, s.depends_on from headgate.pipeline_steps as s join headgate.pipelines as p
using (pipeline_id) where p.name = %(p)s order by s.position
"""


def test_the_plan_is_on_the_page_whole():
    assert f"```sql\n{(DB / 'plans/viral/plan.sql').read_text()}```" in PAGE


@pytest.mark.parametrize("pipeline", DEMO.pipelines)
def test_graph_and_run_on_the_page_have_the_steps_of_the_plan(plan: Plan, pipeline: str):
    rows = plan.sql(STEPS, p=pipeline)
    graphs = re.findall(r"flowchart LR\n(.*?)```", PAGE, re.DOTALL)
    edges = set()
    for line in graphs[DEMO.pipelines.index(pipeline)].splitlines():
        groups = [[y.strip() for y in x.split("&")] for x in line.split("-->")]
        edges |= {(x, y) for a, b in pairwise(groups) for x in a for y in b}
    assert edges == {(x, row["step"]) for row in rows for x in row["depends_on"]}
    run = re.search(rf"^{pipeline} manual.*?\n\n", PAGE, re.DOTALL | re.MULTILINE)
    assert run is not None
    assert [x.split()[0] for x in run[0].splitlines()[2:] if x] == [x["step"] for x in rows]


def test_the_queries_on_the_page_are_the_demonstrations_and_run(plan: Plan):
    for query in DEMO.queries:
        assert f"\n  {query};\n" in PAGE
        plan.sql(query.replace("%", "%%"))

"""docs/onpoint.md: its plan is the plan, and its graph has the steps."""

from __future__ import annotations

import re
from itertools import pairwise

from tests.acceptance.onpoint.conftest import DATA
from tests.plan import Plan
from tests.servers import DB

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

"""docs/freshpoc.md: it shows the shipped plan and its steps, and its commands and functions exist."""

from __future__ import annotations

import re

from headgate.demo import SERVICE_DEMOS
from tests.acceptance.freshpoc.conftest import STEPS
from tests.plan import Plan
from tests.servers import DB

ROOT = DB.parent
PAGE = (ROOT / "docs" / "freshpoc.md").read_text()


def test_the_plan_is_on_the_page_whole():
    assert f"```sql\n{(DB / 'plans/freshpoc/plan.sql').read_text()}```" in PAGE


def test_the_run_on_the_page_has_the_steps_of_the_plan(plan: Plan):
    rows = plan.sql(
        "select s.step from headgate.pipeline_steps as s join headgate.pipelines as p"
        " using (pipeline_id) where p.name = 'FreshPoC_E2E' order by s.position"
    )
    shown = re.search(r"<!-- output: freshpoc -->\n```text\n(.*?)```", PAGE, re.DOTALL)
    assert shown is not None
    assert [x.split()[0] for x in shown[1].splitlines()[2:]] == [x["step"] for x in rows]
    assert [x["step"] for x in rows if x["step"] in STEPS] == list(STEPS)


def test_the_functions_on_the_page_exist(plan: Plan):
    names = set(re.findall(r"`headgate[.](\w+)", PAGE))
    known = plan.sql(
        "select proname as name from pg_proc where pronamespace = 'headgate'::regnamespace"
        " union all select relname from pg_class where relnamespace = 'headgate'::regnamespace"
    )
    assert names - {"demo"} <= {x["name"] for x in known}


def test_the_demonstrations_queries_run(plan: Plan):
    for query in SERVICE_DEMOS["freshpoc"].queries:
        plan.sql(query.replace("%", "%%"))


def test_make_has_the_demonstration():
    assert "demo/freshpoc:" in (ROOT / "Makefile").read_text()

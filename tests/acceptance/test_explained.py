"""What explain_plan says is what is then done."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, LiteralString

from tests.acceptance.books import check_books, check_settled
from tests.acceptance.house import PIPELINE, House

DONE = """
select a.code as asset, a.group_key, o.name as operation, 'run' as decision, d.units
from headgate.asset_processing_details as d
join headgate.process_executions as e using (execution_id)
join headgate.assets as a using (asset_id)
join headgate.operations as o using (operation_id)
where e.run_id = %(run_id)s
union all
select a.code, a.group_key, o.name, 'defer', o.units
from headgate.planner_deferrals as d
join headgate.process_executions as e using (execution_id)
cross join unnest(d.asset_ids) as u (asset_id)
join headgate.assets as a using (asset_id)
join headgate.operations as o using (operation_id)
where e.run_id = %(run_id)s
"""
SAID = """
create temp table said (
    asset text, group_key text, operation text, decision text, units integer
)
"""
EXPLAIN = """
insert into said
select e.asset, e.group_key, e.operation, e.decision, e.units
from headgate.explain_plan(p_pipeline => %(pipeline)s, p_params => %(params)s) as e
"""
DIFFERENT: LiteralString = f"""
with done as ({DONE})
select 'said' as what, s.* from (table said except all table done) as s
union all
select 'done' as what, d.* from (table done except all table said) as d
limit 10
"""
SUMMARY = """
select operation, count(*), sum(units)::integer as units
from said
where decision = 'run'
group by operation
order by operation
"""


def test_a_run_does_what_explain_plan_said_row_for_row(house):
    house.set_provider(quota=1_111)
    check(house)
    assert summary(house) == {"fundamentals_bulk": (101, 1_010), "prices_historical": (101, 101)}

    house.set_clock(house.at + timedelta(days=1, hours=10))
    check(house, exchanges=["US", "LSE"], max_price_updates_per_day=15)
    assert summary(house) == {
        "dividends_bulk": (4, 400),  # two sessions of two exchanges
        "fundamentals_bulk": (26, 260),
        "prices_historical": (26, 26),
        "prices_incremental": (15, 15),
        "splits_bulk": (4, 400),
    }
    check_books(house)


def check(house: House, **params: Any) -> None:
    """Ask, in a transaction that may change nothing, what a run would do; do it, and compare."""
    house.plan.sql("drop table if exists said")
    house.plan.sql(SAID)
    with house.plan.connection.transaction():
        house.plan.sql("set transaction read only")
        house.plan.sql(EXPLAIN, pipeline=PIPELINE, params=params)
    run_id = house.start(**params)
    house.worker()
    assert house.wait_for_end(run_id)["status"] == "succeeded"
    assert house.plan.sql(DIFFERENT, run_id=run_id) == []
    check_settled(house)


def summary(house: House) -> dict[str, tuple[int, int]]:
    """Return jobs and units of each operation that were to run."""
    rows = house.plan.sql(SUMMARY)
    return {row["operation"]: (row["count"], row["units"]) for row in rows}

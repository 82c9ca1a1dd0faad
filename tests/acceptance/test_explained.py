"""A run does what explain_plan said."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, LiteralString

from tests.acceptance.ledger import check_ledger, check_settled
from tests.acceptance.system import PIPELINE, System

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


def test_a_run_does_what_explain_plan_said_row_for_row(system):
    system.set_provider(quota=1_111)
    check(system)
    assert summary(system) == {"fundamentals_bulk": (101, 1_010), "prices_historical": (101, 101)}

    system.set_clock(system.at + timedelta(days=1, hours=10))
    check(system, exchanges=["US", "LSE"], max_price_updates_per_day=15)
    assert summary(system) == {
        "dividends_bulk": (4, 400),  # two sessions of two exchanges
        "fundamentals_bulk": (26, 260),
        "prices_historical": (26, 26),
        "prices_incremental": (15, 15),
        "splits_bulk": (4, 400),
    }
    check_ledger(system)


def check(system: System, **params: Any) -> None:
    """Explain a run in a read-only transaction, run it, and compare."""
    system.plan.sql("drop table if exists said")
    system.plan.sql(SAID)
    with system.plan.connection.transaction():
        system.plan.sql("set transaction read only")
        system.plan.sql(EXPLAIN, pipeline=PIPELINE, params=params)
    run_id = system.start(**params)
    system.worker()
    assert system.wait_for_end(run_id)["status"] == "succeeded"
    assert system.plan.sql(DIFFERENT, run_id=run_id) == []
    check_settled(system)


def summary(system: System) -> dict[str, tuple[int, int]]:
    """Return the planned jobs and units of each operation."""
    rows = system.plan.sql(SUMMARY)
    return {row["operation"]: (row["count"], row["units"]) for row in rows}

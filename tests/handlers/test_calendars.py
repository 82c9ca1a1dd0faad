"""The trading calendar is extended by a handler, through the plan like everything else."""

from __future__ import annotations

from runner.worker import work


async def test_sessions_reach_a_year_and_a_half_ahead(database):
    from runner.database import connect
    from tests.plan import Plan

    with connect(database, "test") as connection:
        plan = Plan(connection)
        plan.call("run_pipeline", p_pipeline="trading_calendars", p_run_id="r1")

        async def has_ended() -> bool:
            row = plan.row("execution_status", p_pipeline="trading_calendars", p_run_id="r1")
            return bool(row["status"] != "running")

        await work(database, until=has_ended, processes=1)

        ended = plan.row("execution_status", p_pipeline="trading_calendars", p_run_id="r1")
        ahead = plan.sql(
            "select calendar from headgate.v_trading_sessions group by 1"
            " having max(session) < (clock_timestamp() + interval '530 days')::date"
        )

    assert (ended["status"], ended["succeeded"], ahead) == ("succeeded", 10, [])

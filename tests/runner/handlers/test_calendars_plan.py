"""The trading calendar is extended by a handler, through the plan like everything else."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from headgate.database import connect
from headgate.worker.worker import work
from tests import clock
from tests.limits import PATIENCE
from tests.plan import Plan

AT = datetime(2026, 6, 15, 3, tzinfo=UTC)  # the shipped sessions end a year later


async def test_sessions_reach_a_year_and_a_half_ahead(database):
    with connect(database, "test") as connection:
        connection.execute(clock.moved(database.database, AT))
    with connect(database, "test") as connection:
        plan = Plan(connection)
        plan.call("run_pipeline", p_pipeline="trading_calendars", p_run_id="r1")

        async def has_ended() -> bool:
            row = plan.row("execution_status", p_pipeline="trading_calendars", p_run_id="r1")
            return bool(row["status"] != "running")

        async with asyncio.timeout(PATIENCE):
            await work(database, until=has_ended, processes=1)

        ended = plan.row("execution_status", p_pipeline="trading_calendars", p_run_id="r1")
        short = plan.sql(
            "select calendar from headgate.v_trading_sessions group by 1"
            " having max(session) < %(day)s",
            day=AT.date() + timedelta(days=530),
        )

    assert (ended["status"], ended["succeeded"], short) == ("succeeded", 10, [])

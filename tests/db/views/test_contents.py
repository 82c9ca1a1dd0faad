"""Contents of the views on quota, providers, queues, freshness and history."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.plan import Plan

NOW = "2026-06-17 21:30:00+00"
PIPELINE = "data_collection_equities"


@pytest.fixture
def now(db: Plan) -> datetime:
    """Freeze the clock."""
    db.freeze_clock(NOW)
    return datetime(2026, 6, 17, 21, 30, tzinfo=UTC)


def test_the_open_window_comes_first_and_says_what_is_left(db: Plan, now: datetime):
    db.sql(
        """
        insert into headgate.quota_windows (
            provider_id, opened_at, closes_at, usable, reserved, spent, used_elsewhere
        )
        select p.provider_id, date_trunc('day', w.at), date_trunc('day', w.at) + '1 day', 100,
            w.reserved, w.spent, w.used_elsewhere
        from headgate.providers as p
        cross join (values
            (%(now)s - interval '1 day', 0, 100, 0),
            (%(now)s, 10, 20, 30),
            (%(now)s + interval '1 day', 50, 0, 70)
        ) as w (at, reserved, spent, used_elsewhere)
        where p.name = 'eodhd'
        """,
        now=now,
    )
    rows = db.sql("select * from headgate.v_quota")

    assert [x["opened_at"].day for x in rows] == [17, 18, 16]
    assert [x["remaining"] for x in rows] == [40, 0, 0]


@pytest.mark.parametrize(
    ("opened", "blocked_for", "state"),
    [
        (0, None, "flowing"),
        (0, -1, "flowing"),
        (0, 5, "blocked"),
        (2, 5, "blocked"),
        (2, -1, "probing"),
    ],
)
def test_a_provider_flows_is_blocked_or_is_probed(
    db: Plan, now: datetime, opened: int, blocked_for: int | None, state: str
):
    until = now + timedelta(minutes=blocked_for) if blocked_for is not None else None
    db.sql(
        "update headgate.breakers set opened = %(opened)s, blocked_until = %(until)s",
        opened=opened,
        until=until,
    )
    rows = db.sql("select * from headgate.v_provider_health")

    assert {x["state"] for x in rows} == {state}
    assert {x["blocked_until"] for x in rows} == {None if state == "flowing" else until}


@pytest.mark.parametrize(
    ("next_start_in", "at_once"), [(-3600, 10), (0, 10), (0.1, 8), (0.5, 1), (0.7, 0), (30, 0)]
)
def test_requests_that_may_start_at_once_come_back_one_by_one(
    db: Plan, now: datetime, next_start_in: float, at_once: int
):
    db.sql(
        "update headgate.providers set requests_per_minute = 1000, burst = 10 where name = 'eodhd'"
    )
    db.sql(
        "update headgate.rate_limiters set next_start_at = %(at)s",
        at=now + timedelta(seconds=next_start_in),
    )
    tokens = "select rate_tokens from headgate.v_provider_health where provider = "

    assert db.scalar(tokens + "'eodhd'") == at_once
    assert db.scalar(tokens + "'local'") is None


def test_an_asset_is_due_until_it_is_held_or_put_aside(db: Plan, now: datetime):
    due = "select count(*) from headgate.v_assets_needing_processing where asset = 'AAPL.US'"
    db.sql(
        """
        update headgate.asset_processing_state as s
        set next_due_at = %(now)s, chunk_id = case when o.name = 'prices_historical' then 1 end
        from headgate.operations as o, headgate.assets as a
        where o.operation_id = s.operation_id and a.asset_id = s.asset_id and a.code = 'AAPL.US'
        """,
        now=now,
    )

    assert db.scalar(due) == 3
    db.sql("update headgate.assets set is_active = false where code = 'AAPL.US'")
    assert db.scalar(due) == 0


def test_the_view_of_what_is_due_says_why(db: Plan, now: datetime):
    db.sql(
        """
        update headgate.asset_processing_state as s
        set next_due_at = %(now)s,
            succeeded_at = case when o.due_rule <> 'once' then %(now)s - interval '2 days' end,
            reprocess_requested_at = case
                when o.name = 'indicators_calculation' then %(now)s - interval '1 day'
                when o.name = 'prices_incremental' then %(now)s - interval '3 days'
            end
        from headgate.operations as o, headgate.assets as a
        where o.operation_id = s.operation_id and a.asset_id = s.asset_id and a.code = 'AAPL.US'
        """,
        now=now,
    )
    rows = db.sql("select * from equities.v_assets_needing_processing where ticker = 'AAPL.US'")

    assert {x["operation"]: (x["reason"], x["units"]) for x in rows} == {
        "fundamentals_bulk": ("new", 10),
        "prices_historical": ("new", 1),
        "prices_incremental": ("a session has closed", 1),
        "indicators_calculation": ("reset", 0),
    }


def test_freshness_adds_up_by_group(db: Plan, now: datetime):
    db.sql(
        """
        update headgate.asset_processing_state as s
        set watermark = %(now)s - n.nth * interval '1 day',
            next_due_at = case when n.nth > 2 then %(now)s else %(now)s + interval '1 day' end,
            consecutive_failures = case when n.nth = 2 then 5 else 0 end
        from (
            select s.operation_id, s.asset_id, row_number() over (order by s.asset_id) as nth
            from headgate.asset_processing_state as s
            join headgate.assets as a using (asset_id)
            join headgate.operations as o using (operation_id)
            where a.group_key = 'LS' and o.name = 'prices_historical'
        ) as n
        where n.operation_id = s.operation_id and n.asset_id = s.asset_id and n.nth <= 4
        """,
        now=now,
    )
    (row,) = db.sql(
        "select * from headgate.v_data_freshness "
        "where group_key = 'LS' and operation = 'prices_historical'"
    )

    assert (row["assets"], row["fresh"], row["stale"], row["never"]) == (74, 1, 3, 70)
    assert row["oldest_watermark"] == now - timedelta(days=4)


def test_freshness_can_be_counted_in_parallel(db: Plan):
    db.sql("set local parallel_setup_cost = 0")
    db.sql("set local parallel_tuple_cost = 0")
    db.sql("set local min_parallel_table_scan_size = 0")
    lines = db.sql("explain (costs off) select * from headgate.v_data_freshness")

    assert any("Workers Planned" in x["QUERY PLAN"] for x in lines)


def test_a_run_shows_up_everywhere(plan: Plan):
    plan.freeze_clock(NOW)
    plan.call(
        "reset_asset",
        p_asset_id=plan.value("find_asset", p_universe="equities", p_code="AAPL.US"),
        p_operations=["fundamentals_bulk", "prices_historical"],
    )
    plan.call("run_pipeline", p_pipeline=PIPELINE, p_run_id="r", p_params={"tickers": ["AAPL.US"]})
    plan.advance()
    running = plan.sql("select * from headgate.v_recent_executions")[0]
    depth = plan.sql("select * from headgate.v_queue_depth")
    claimed = plan.call("claim_jobs", p_runner="t", p_max_chunks=9)
    leased = plan.sql("select * from headgate.v_queue_depth")
    for chunk in claimed:
        _complete(plan, chunk)
    plan.advance()
    ended = plan.sql("select * from headgate.v_recent_executions")[0]

    assert (running["status"], running["planned"], running["units"]) == ("running", 2, 0)
    assert [(x["queue"], x["ready"], x["leased"]) for x in depth] == [("eodhd_normal", 2, 0)]
    assert [(x["queue"], x["ready"], x["leased"]) for x in leased] == [("eodhd_normal", 0, 2)]
    assert (ended["run_id"], ended["status"]) == ("r", "failed")
    assert (ended["planned"], ended["succeeded"], ended["failed"], ended["units"]) == (2, 1, 1, 11)
    assert plan.sql("select * from headgate.v_queue_depth") == []
    _check_history(plan)


def _complete(plan: Plan, chunk: dict[str, object]) -> None:
    is_prices = chunk["operation"] == "prices_historical"
    plan.call(
        "complete_jobs",
        p_runner="t",
        p_chunk_id=chunk["chunk_id"],
        p_lease_no=chunk["lease_no"],
        p_asset_ids=chunk["asset_ids"],
        p_outcomes=["success" if is_prices else "failed"],
        p_faults=["item"],
        p_payloads=["[]" if is_prices else None],
        p_errors=[None if is_prices else "unknown to the provider"],
        p_request_counts=[1],
        p_durations_ms=[12],
    )


def _check_history(plan: Plan) -> None:
    history = plan.sql("select * from equities.v_ticker_processing_history order by operation")
    today = plan.sql("select * from headgate.v_today_processing_activity")
    failed = plan.sql("select * from equities.v_failed_assets")
    steps = plan.sql("select step, status from headgate.v_execution_steps where run_id = 'r'")

    assert [
        (x["ticker"], x["operation"], x["status"], x["error"], x["run_id"]) for x in history
    ] == [
        ("AAPL.US", "fundamentals_bulk", "failed", "unknown to the provider", "r"),
        ("AAPL.US", "prices_historical", "success", None, "r"),
    ]
    assert [(x["operation"], x["status"], x["jobs"], x["api_calls_used"]) for x in today] == [
        ("fundamentals_bulk", "failed", 1, 10),
        ("prices_historical", "success", 1, 1),
    ]
    assert [(x["ticker"], x["consecutive_failures"]) for x in failed] == [("AAPL.US", 1)]
    assert steps[0]["step"] == "initialize_execution"
    assert {x["step"]: x["status"] for x in steps}["process_us_markets"] == "failed"
    plan.freeze_clock("2026-06-18 00:00:01+00")
    assert plan.sql("select * from headgate.v_today_processing_activity") == []

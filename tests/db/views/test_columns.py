"""Views have the columns that people, DAGs and BI tools rely on, each with a comment."""

from __future__ import annotations

import pytest

from tests.plan import Plan

HISTORY = "operation status ended_at records api_calls_used duration_ms attempts error run_id"
FAILED = "operation consecutive_failures last_error last_failed_at"
DUE = "group_key operation reason due_since watermark units"
COLUMNS = {
    "headgate.v_recent_executions": (
        "pipeline run_id status started_at finished_at duration planned succeeded failed deferred"
        " skipped units driver started_by"
    ),
    "headgate.v_assets_needing_processing": f"asset_id asset {DUE}",
    "headgate.v_today_processing_activity": (
        "operation status jobs records api_calls_used avg_duration_ms"
    ),
    "headgate.v_asset_processing_history": f"asset_id asset {HISTORY} verdict reason cpu_ms peak_memory"
    " from_cache",
    "headgate.v_failed_assets": f"asset_id asset {FAILED} universe",
    "headgate.v_failing_operations": "operation assets last_failed_at last_error last_asset",
    "headgate.v_open_quota": (
        "provider opened_at closes_at usable reserved spent used_elsewhere remaining blocked_until wanted"
    ),
    "headgate.v_blocked_calls": "provider operation state blocked_until reason",
    "headgate.v_waiting_work": (
        "pipeline run_id operation reason step jobs next_try_at gives_up_at all_jobs"
    ),
    "headgate.v_latest_executions": "pipeline run_id status started_at",
    "headgate.v_step_outputs": "pipeline run_id step output",
    "headgate.v_quota": (
        "provider opened_at closes_at usable reserved spent used_elsewhere remaining blocked_until"
    ),
    "headgate.v_queue_depth": "queue ready leased parked oldest_at",
    "headgate.v_robots": "provider pattern is_allowed crawl_delay fits",
    "headgate.v_provider_health": (
        "provider state failures blocked_until blocked_reason rate_tokens auth_failures blocked_operations"
    ),
    "headgate.v_operation_health": "operation provider state failures blocked_until reason",
    "headgate.v_data_freshness": "operation group_key assets fresh stale never oldest_watermark",
    "headgate.v_counted_freshness": (
        "operation group_key assets fresh stale never oldest_watermark counted_at"
    ),
    "headgate.v_execution_steps": (
        "pipeline run_id step status planned succeeded failed deferred skipped started_at"
        " finished_at units skip_reason may_fail output round retried retry_at deadline_at degraded wave kind depends_on"
        " group_keys"
    ),
    "headgate.v_pipeline_steps": (
        "pipeline step kind depends_on trigger_rule function operations group_keys condition may_fail retries timeout"
        " max_waves"
    ),
    "headgate.v_waiting": (
        "pipeline run_id step operation reason jobs next_try_at gives_up_at retries cause"
    ),
    "headgate.v_queued_runs": "pipeline run_id logical_date is_backfill queued_at position reason",
    "headgate.v_leases": (
        "pipeline run_id step operation runner chunks jobs heard_at leased_until is_silent reason"
    ),
    "headgate.v_run_documents": "pipeline run_id run document",
    "headgate.v_pipelines": (
        "pipeline description after is_paused is_paused_with_dag steps latest_run_id latest_status latest_started_at"
    ),
    "headgate.v_operations": (
        "operation description universe provider kind due serves units priority bundle max_attempts max_wait"
        " pipelines state blocked_until breaker_failures breaker_reason"
    ),
    "headgate.v_asset_states": (
        "asset_id universe asset is_active operation watermark next_due_at succeeded_at consecutive_failures"
        " is_held bulk_misses status last_error last_failed_at"
    ),
    "headgate.v_runners": (
        "runner host pid version started_at last_seen_at leases jobs calls connections_opened"
        " connections_reused memory peak_memory cpu_percent disk_percent"
    ),
    "headgate.v_cache": "operation hits misses hit_ratio coalesced bytes",
    "headgate.v_pools": "pool slots used waiting",
    "headgate.v_stores": "store url endpoint region key_id_name secret_name files bytes cleaned_at",
    "headgate.v_artifacts": (
        "artifact_id name store url bytes rows media_type sha256 pipeline run_id step operation asset created_at"
        " expires_at deleted_at is_current"
    ),
    "headgate.v_checks": "name pipeline kind relation description severity warn_if error_if hold_for"
    " checked_at status value message failing_since function",
    "headgate.v_check_results": "result_id name subject pipeline run_id checked_at status value message"
    " failing_since failing",
    "headgate.v_changes": "operation changes_of changes oldest_at bytes is_behind slot slot_obstacle",
    "headgate.v_database_health": "measure value threshold verdict",
    "headgate.v_metrics": "name type help labels value",
    "headgate.v_wanted_runners": "wanted for_calls for_handlers is_limited",
    "headgate.v_alerts": "raised_at severity subject message resolved_at",
    "headgate.v_notices": "written_at channel subject status tried_at error body asset_id",
    "equities.v_assets_needing_processing": f"ticker asset_id {DUE}",
    "equities.v_ticker_processing_history": f"ticker asset_id {HISTORY}",
    "equities.v_failed_assets": f"ticker asset_id {FAILED}",
}


@pytest.mark.parametrize("view", COLUMNS)
def test_a_view_keeps_its_columns(db: Plan, view: str):
    rows = db.sql(
        """
        select a.attname as name, col_description(a.attrelid, a.attnum) as comment
        from pg_attribute as a
        where a.attrelid = to_regclass(%(view)s) and a.attnum > 0
        order by a.attnum
        """,
        view=view,
    )

    assert [x["name"] for x in rows] == COLUMNS[view].split()
    assert all(x["comment"] for x in rows)

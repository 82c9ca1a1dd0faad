"""equities.get_processing_progress: how far the universe is loaded."""

from __future__ import annotations

from tests.plan import Plan


def test_progress_counts_what_each_listing_has(db: Plan):
    total = db.row("equities.get_processing_progress")["total_assets"]
    db.sql(
        """
        update headgate.asset_processing_state as s
        set succeeded_at = case when n.nth <= 3 then headgate.clock() end,
            watermark = case when n.nth <= 2 then headgate.clock() end,
            consecutive_failures = case when n.nth = 4 then 2 else 0 end
        from (
            select operation_id, asset_id, row_number() over (partition by operation_id) as nth
            from headgate.asset_processing_state
        ) as n
        where n.operation_id = s.operation_id and n.asset_id = s.asset_id and n.nth <= 4
        """
    )
    row = db.row("equities.get_processing_progress")

    assert total == 21_817
    assert (row["fundamentals_loaded"], row["prices_loaded"]) == (3, 2)
    assert row["indicators_calculated"] == 3
    assert 1 <= row["failed_assets"] <= 4
    assert float(row["percent_complete"]) == round(100 * 8 / (3 * total), 2)


def test_a_listing_put_aside_does_not_count(db: Plan):
    before = db.row("equities.get_processing_progress")["total_assets"]
    db.sql("update headgate.assets set is_active = false where code = 'AAPL.US'")

    assert db.row("equities.get_processing_progress")["total_assets"] == before - 1


def test_nothing_loaded_is_not_a_division_by_zero(db: Plan):
    db.sql("update headgate.assets set is_active = false")

    assert db.row("equities.get_processing_progress")["percent_complete"] == 0

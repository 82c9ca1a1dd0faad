"""The evening of the source system's catch-up, and its listings: loaded by one session, and waiting."""

NOW = "2026-03-04 21:30+00:00"  # a Wednesday, after the US close
LOADED = """
    update headgate.asset_processing_state as s
    set succeeded_at = '2026-03-03 21:30+00:00',
        watermark = '2026-03-03 00:00+00:00',
        next_due_at = case when o.name = 'prices_incremental' then timestamptz '2026-03-04 21:15+00:00' end
    from headgate.operations as o,
        (select asset_id from headgate.assets where universe = 'equities' order by asset_id limit 5045) as a
    where o.operation_id = s.operation_id
        and s.asset_id = a.asset_id
        and o.name in ('fundamentals_bulk', 'prices_historical', 'prices_incremental')
"""

WAITING = """
    update headgate.asset_processing_state as s
    set next_due_at = '2026-03-01 12:00+00:00'
    from headgate.operations as o
    where o.operation_id = s.operation_id
        and o.name in ('fundamentals_bulk', 'prices_historical')
        and s.next_due_at is not null
"""

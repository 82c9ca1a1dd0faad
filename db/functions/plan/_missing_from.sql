-- The first session whose data is missing (-infinity: none is) if a bulk call may bring it. A bulk call cannot serve
-- reset pairs, pairs missing from the last such answer, or pairs called for one by one because earlier answers did not
-- contain them. Inlined (no pinned path), because it runs once per pair.

create or replace function headgate._missing_from(
    p_state headgate.asset_processing_state,
    p_at timestamptz
)
returns date
language sql
immutable
as $func$
    select case
        when p_state.bulk_missed_at is null
            and (p_state.bulk_misses < 2 or p_state.alone_until <= p_at)
            and coalesce(p_state.reprocess_requested_at <= p_state.succeeded_at, p_state.reprocess_requested_at is null)
            then coalesce((p_state.watermark at time zone 'UTC')::pg_catalog.date, '-infinity')
    end;
$func$;

-- The session from which on data are missing (-infinity: there are none), where a call for the group may bring them.
-- Such a call may not for what was asked for again, what was not in the last such answer, and what is asked for alone
-- because earlier answers lacked it. Meant to inline (no pinned path): it is asked once per pair.

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

-- Inlined (no pinned path), because it runs once per pair.

create or replace function headgate._is_left_out(p_state headgate.asset_processing_state)
returns boolean
language sql
immutable
as $func$
    select p_state.consecutive_failures >= 5 and p_state.next_due_at is null and p_state.chunk_id is null;
$func$;

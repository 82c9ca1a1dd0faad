-- Why a pair is not in the plan, in a few words. Inlined (no pinned path), because it runs once per pair.

create or replace function headgate._skipped_because(
    p_is_active boolean,
    p_state headgate.asset_processing_state,
    p_operation headgate.operations,
    p_at timestamptz
)
returns text
language sql
immutable
as $func$
    select case
        when not p_is_active then 'the asset is not active'
        when p_state.chunk_id is not null then 'held by a run'
        when p_state.next_due_at > p_at then 'not due yet'
        when p_state.next_due_at is not null or headgate._is_left_out(p_state) then 'outside the run''s parameters'
        when p_operation.follows_operation_id is not null and p_state.succeeded_at is null then 'opens later'
        when p_operation.due_rule = 'after' and p_state.succeeded_at is null then 'its inputs have not changed yet'
        when p_operation.due_rule = 'after' then 'its inputs have not changed since'
        else 'done'
    end;
$func$;

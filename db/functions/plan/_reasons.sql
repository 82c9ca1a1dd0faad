-- Why a pair is due, has to wait, or is kept out of the plan, in words: for explain_plan, explain_totals and why.

-- What keeps a pair out of the plan, in a few words. Meant to inline (no pinned path): it is asked once per pair.
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

-- Why a pair is due. Meant to inline (no pinned path).
create or replace function headgate._due_because(
    p_operation headgate.operations,
    p_state headgate.asset_processing_state
)
returns text
language sql
stable
as $func$
    select case
        when p_state.reprocess_requested_at > coalesce(p_state.succeeded_at, '-infinity') then 'asked for again'
        when p_state.succeeded_at is null and p_operation.follows_operation_id is null then 'never done'
        when p_operation.due_rule = 'session' then 'a session has closed since'
        when p_operation.due_rule = 'every' then 'older than ' || p_operation.due_every
        when p_operation.due_rule = 'after' then 'its inputs have changed'
        else 'due by its rule'
    end;
$func$;

-- Why it is due, and in the words of v_refusals why it has to wait. Meant to inline (no pinned path): it is asked once per pair.
create or replace function headgate._sentence(
    p_operation headgate.operations,
    p_state headgate.asset_processing_state,
    p_is_granted boolean,
    p_refusal text,
    p_meaning text,
    p_run_at timestamptz
)
returns text
language sql
stable
as $func$
    select headgate._due_because(p_operation, p_state)
        || case
            when headgate._due_because(p_operation, p_state) = 'a session has closed since'
                then ' ' || coalesce(headgate._request_time(p_state.watermark), 'the beginning')
            else ''
        end
        || case
            when p_is_granted then ''
            when p_refusal = 'max_assets' then '; ' || p_meaning
            when p_refusal = 'failures' then '; ' || p_meaning || coalesce(': ' || p_state.last_error, '')
            else '; ' || p_meaning
                || case when p_refusal in ('closed', 'breaker') then ' until ' else ': earliest ' end || (p_run_at at time zone 'UTC')
        end;
$func$;

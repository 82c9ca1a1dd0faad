-- Why a pair is due. Inlined (no pinned path).

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
        when p_operation.due_rule = 'run' then 'every run does it'
        when p_state.succeeded_at is null and p_operation.follows_operation_id is null then 'never done'
        when p_operation.due_rule = 'session' then 'a session has closed since'
        when p_operation.due_rule = 'every' then 'older than ' || headgate.in_words(p_operation.due_every)
        when p_operation.due_rule = 'after' then 'its inputs have changed'
        else 'due by its rule'
    end;
$func$;

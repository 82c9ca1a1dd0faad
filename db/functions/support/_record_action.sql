-- Record an operator's action in the same transaction: who, when, and what it changed. Those who follow runs are told.

create or replace function headgate._record_action(
    p_action text,
    p_arguments jsonb,
    p_changed jsonb
)
returns void
language sql
volatile
set search_path = pg_catalog, pg_temp
as $func$
    insert into headgate.operator_actions (acted_at, operator, client, action, arguments, changed)
    values (
        headgate.clock(), session_user, coalesce(current_setting('application_name', true), ''), p_action,
        p_arguments, p_changed
    );
    select pg_notify('headgate_progress', '');
$func$;

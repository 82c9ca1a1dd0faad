-- What an execution is planned by: its parameters and, under a name that no parameter can have, whose graph it is.

create or replace function headgate._plan_params(p_execution headgate.process_executions)
returns jsonb
language sql
immutable
set search_path = pg_catalog, pg_temp
as $func$
    select p_execution.params || jsonb_build_object(
        '?', jsonb_build_object('execution', p_execution.execution_id, 'is_backfill', p_execution.is_backfill)
    );
$func$;

-- The parameters an execution is planned with and, under a key that no parameter can have, the execution whose graph
-- applies.

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

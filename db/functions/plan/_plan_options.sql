-- What a run is planned with: its parameters, and the graph that it started with.

create or replace function headgate._plan_options(p_execution headgate.process_executions)
returns headgate.plan_options
language sql
immutable
set search_path = pg_catalog, pg_temp
as $func$
    select row(
        p_execution.params, p_execution.execution_id, p_execution.is_backfill, false, true, null, null
    )::headgate.plan_options;
$func$;

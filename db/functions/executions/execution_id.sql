create or replace function headgate.execution_id(
    p_pipeline text,
    p_run_id text
)
returns bigint
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $func$
    select (headgate._execution(p_pipeline, p_run_id)).execution_id;
$func$;

comment on function headgate.execution_id(text, text) is
    'The id of an execution, as in notifications on the channel headgate_steps.';

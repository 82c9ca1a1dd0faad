create or replace function headgate.failed_steps(
    p_pipeline text,
    p_run_id text
)
returns table (step text)
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $func$
    select s.step
    from headgate.process_steps as s
    where s.execution_id = (headgate._execution(p_pipeline, p_run_id)).execution_id
        and s.status = 'failed'
    order by s.position;
$func$;

comment on function headgate.failed_steps(text, text) is
    'Steps of an execution that have failed: a scheduler compares them with its own.';

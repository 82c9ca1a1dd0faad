create or replace function headgate.failed_steps(
    p_pipeline text,
    p_run_id text
)
returns table (step text)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_execution_id constant bigint := headgate.execution_id(p_pipeline, p_run_id);
begin
    return query
    select s.step
    from headgate.process_steps as s
    where s.execution_id = v_execution_id
        and s.status = 'failed'
    order by s.position;
end;
$func$;

comment on function headgate.failed_steps(text, text) is
    'Failed steps of an execution, for a scheduler to compare with its own.';

create or replace function headgate._check_open(p_execution headgate.process_executions)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $func$
begin
    if p_execution.status = 'paused' then
        perform headgate._raise(
            'HG013', format('execution %s is paused', p_execution.run_id), 'headgate.resume_pipeline resumes it'
        );
    elsif p_execution.status <> 'running' then
        perform headgate._raise(
            'HG014', format('execution %s has ended: %s', p_execution.run_id, p_execution.status),
            'start a new run, or run what it left undone: headgate.retry_failed'
        );
    end if;
end;
$func$;

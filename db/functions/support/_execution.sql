create or replace function headgate._execution(
    p_pipeline text,
    p_run_id text
)
returns headgate.process_executions
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_pipeline_id constant bigint := (headgate._pipeline(p_pipeline)).pipeline_id;
    v_execution headgate.process_executions;
begin
    select * into v_execution
    from headgate.process_executions as e
    where e.pipeline_id = v_pipeline_id
        and e.run_id = p_run_id;
    if not found then
        perform headgate._raise(
            'HG002',
            format('pipeline %s has no execution %s', p_pipeline, coalesce(quote_literal(p_run_id), 'null')),
            headgate._meant(p_run_id, array(
                select e.run_id
                from headgate.process_executions as e
                where e.pipeline_id = v_pipeline_id
                order by e.started_at desc
                limit 100
            )) || 'start it with headgate.start_execution, or see headgate.v_recent_executions'
        );
    end if;

    return v_execution;
end;
$func$;
